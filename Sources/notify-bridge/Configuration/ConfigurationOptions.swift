import ArgumentParser

/// Every setting of the table as a flag, and `--config`.
struct ConfigurationOptions: ParsableArguments {
  /// Names an option in the parser: the flag itself.
  private struct FlagKey: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }

    init(stringValue: String) { self.stringValue = stringValue }

    init?(intValue: Int) { nil }
  }

  private static let fileFlag = "config"

  /// The flags that were given, by the ids of their settings.
  let flags: [String: String]
  /// The file of `--config`.
  let configurationFile: String?

  init() {
    flags = [:]
    configurationFile = nil
  }

  init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: FlagKey.self)
    func text(_ flag: String) throws -> String? {
      try container.decode(Option<String?>.self, forKey: FlagKey(stringValue: flag)).wrappedValue
    }
    configurationFile = try text(Self.fileFlag)
    flags = try Dictionary(
      Setting.all.compactMap { setting in try text(setting.flag).map { (setting.id, $0) } },
      uniquingKeysWith: { first, _ in first })
  }

  /// The places that settings come from in this run.
  var source: SettingsSource { SettingsSource(flags: flags, filePath: configurationFile) }

  /// The places that the settings of the running bridge come from: in a container, its flags too.
  var sourceOfBridge: SettingsSource {
    guard let arguments = ContainerBridge.serveArguments, let serving = try? Self.parse(arguments) else {
      return source
    }
    return SettingsSource(
      flags: serving.flags.merging(flags) { _, given in given },
      filePath: configurationFile ?? serving.configurationFile)
  }

  /// Reads and checks the settings.
  ///
  /// - Parameter secrets: the secrets that the command needs: only their files are read.
  func settings(needing secrets: [PartialKeyPath<Settings>]) throws(ConfigurationError) -> Settings {
    try source.settings(needing: secrets)
  }
}

/// The parser finds options by reflection. This mirror shows it one for each entry of the table.
extension ConfigurationOptions: CustomReflectable {
  var customMirror: Mirror {
    let file = Option<String?>(
      name: .customLong(Self.fileFlag),
      help: ArgumentHelp("A YAML file with settings; also \(Setting.fileVariable).", valueName: "file"))
    let options = Setting.all.map { setting in
      let option = Option<String?>(
        name: .customLong(setting.flag), help: ArgumentHelp("\(setting.help)", valueName: setting.form.placeholder))
      return (label: setting.flag, value: option as Any)
    }
    return Mirror(self, children: [(label: Self.fileFlag, value: file as Any)] + options)
  }
}

extension Setting {
  /// Its text in `--help`.
  var help: String {
    var help = summary + "."
    if let range = form.range { help += " \(range.lowerBound) to \(range.upperBound)." }
    if !form.words.isEmpty { help += " One of \(form.words.joined(separator: ", "))." }
    if isRequired { help += " Required." }
    if let defaultText { help += " (default: \(defaultText))" }
    return help
  }
}
