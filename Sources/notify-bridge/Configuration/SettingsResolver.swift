/// Puts flags, environment and file together, and checks every value.
struct SettingsResolver: Sendable {
  /// Flags as given, by key.
  let flags: [ConfigurationKey: String]
  /// All environment variables.
  let environment: [String: String]
  /// The file of `--config`, where given.
  let file: ConfigurationFile?
  /// The secrets that are needed: only their files are read.
  let secrets: Set<ConfigurationKey>

  /// All settings, each checked.
  ///
  /// - Throws: everything that is wrong, at once.
  func resolve() throws(ConfigurationError) -> Settings {
    var given: [ConfigurationKey: Settings.Value] = [:]
    var problems: [String] = []
    collectFile(into: &given, &problems)
    collectEnvironment(into: &given, &problems)
    for (key, text) in flags where !text.isEmpty {
      given[key] = Settings.Value(text: text, origin: .flag(key.flag))
    }
    var values: [ConfigurationKey: Settings.Value] = [:]
    for key in ConfigurationKey.all {
      guard let value = given[key] else {
        if let text = key.defaultValue { values[key] = Settings.Value(text: text, origin: .standard) }
        continue
      }
      if let text = key.type.canonical(value.text) {
        values[key] = Settings.Value(text: text, origin: value.origin)
      } else {
        problems.append(Self.problem(key, value))
      }
    }
    readSecretFiles(&values, &problems)
    guard problems.isEmpty else { throw ConfigurationError(problems) }
    return Settings(values: values)
  }

  // MARK: Sources

  private func collectFile(into given: inout [ConfigurationKey: Settings.Value], _ problems: inout [String]) {
    guard let file else { return }
    for entry in file.entries {
      let origin = ConfigurationOrigin.file(path: file.path, key: entry.key)
      if let key = ConfigurationKey.named(entry.name) {
        if case .file(_, let other)? = given[key]?.origin {
          problems.append("\(origin.description) is the same setting as \(other); leave one of them out")
        } else if !entry.text.isEmpty {
          given[key] = Settings.Value(text: entry.text, origin: origin)
        }
      } else if !(entry.text.isEmpty && Self.isSection(entry.name)) {
        let known = ConfigurationKey.all.map(\.yamlPath)
        problems.append(Self.unknown(origin, name: entry.name, written: entry.key, known: known, prefix: ""))
      }
    }
  }

  private func collectEnvironment(into given: inout [ConfigurationKey: Settings.Value], _ problems: inout [String]) {
    for key in ConfigurationKey.all {
      if let text = environment[key.variable], !text.isEmpty {
        given[key] = Settings.Value(text: text, origin: .environment(variable: key.variable))
      }
    }
    let known = Set(ConfigurationKey.all.map(\.variable))
    let prefix = ConfigurationKey.prefix
    for variable in environment.keys.sorted() where variable.hasPrefix(prefix) && !known.contains(variable) {
      let name = String(variable.dropFirst(prefix.count))
      if environment["KUBERNETES_SERVICE_HOST"] != nil, Self.isServiceLink(name) { continue }
      problems.append(
        Self.unknown(
          .environment(variable: variable), name: name, written: variable, known: known.sorted(), prefix: prefix))
    }
  }

  /// Reads the files that hold secrets, unless the secret itself was given in a stronger way.
  private func readSecretFiles(_ values: inout [ConfigurationKey: Settings.Value], _ problems: inout [String]) {
    for key in ConfigurationKey.all {
      guard let secretPath = key.fileOf, let file = values[key],
        let secret = ConfigurationKey.all.first(where: { $0.path == secretPath })
      else { continue }
      if let direct = values[secret], direct.origin.rank >= file.origin.rank {
        if direct.origin.rank == file.origin.rank {
          problems.append("\(file.origin.description) and \(direct.origin.description) are both given: keep one")
        }
        continue
      }
      values[secret] = nil
      guard secrets.contains(secret) else { continue }
      do {
        let text = try SettingFile.readSecret(file.text, subject: "\(file.origin.description) is \"\(file.text)\"")
        values[secret] = Settings.Value(text: text, origin: file.origin)
      } catch {
        problems.append(contentsOf: error.problems)
      }
    }
  }

  // MARK: Messages

  private static func problem(_ key: ConfigurationKey, _ value: Settings.Value) -> String {
    let shown = key.isSecret ? "can't be used" : "is \"\(TerminalText.shortened(value.text, to: 60))\""
    return "\(value.origin.description) \(shown): allowed is \(key.type.allowed)"
  }

  private static func unknown(
    _ origin: ConfigurationOrigin, name: String, written: String, known: [String], prefix: String
  ) -> String {
    let bare = known.map { $0.hasPrefix(prefix) ? String($0.dropFirst(prefix.count)) : $0 }
    let wanted = prefix.isEmpty ? written : name
    let nearest = NearestName.nearest(to: wanted, among: bare)
    let full = nearest.map { known.contains($0) ? $0 : prefix + $0 } ?? ""
    return "\(origin.description) is unknown; the nearest known one is \(full)"
  }

  /// A section whose settings are all commented out.
  private static func isSection(_ name: String) -> Bool {
    ConfigurationKey.all.contains { $0.name.hasPrefix(name + "_") }
  }

  /// What Kubernetes adds to the environment for a Service that is called notify-bridge.
  private static func isServiceLink(_ name: String) -> Bool {
    name.hasPrefix("SERVICE_") || name == "PORT"
      || name.wholeMatch(of: /PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?/) != nil
  }
}
