/// Puts flags, environment and file together, and checks every value.
struct SettingsResolver: Sendable {
  /// A value and the place where it was given.
  private struct GivenSetting {
    let value: GivenValue
    let origin: SettingOrigin
  }

  /// Flags as given, by the ids of their settings.
  let flags: [String: String]
  /// All environment variables.
  let environment: [String: String]
  /// The file of `--config`, where given.
  let file: ConfigurationFile?
  /// The ids of the secrets that are needed: only their files are read.
  let secrets: Set<String>

  /// All settings, each checked.
  ///
  /// - Throws: everything that is wrong, at once.
  func resolve() throws(ConfigurationError) -> Settings {
    var given: [String: GivenSetting] = [:]
    var problems: [String] = []
    collectFile(into: &given, &problems)
    collectEnvironment(into: &given, &problems)
    for setting in Setting.all {
      guard let text = flags[setting.id], !text.isEmpty else { continue }
      given[setting.id] = GivenSetting(value: .text(text), origin: .flag(setting.flag))
    }
    readSecretFiles(&given, &problems)
    var settings = Settings()
    for setting in Setting.all {
      guard case .value(_, let set, _) = setting.target, let given = given[setting.id] else { continue }
      if set(given.value, &settings) {
        settings.origins[setting.id] = given.origin
      } else {
        problems.append(Self.problem(setting, given))
      }
    }
    guard problems.isEmpty else { throw ConfigurationError(problems) }
    return settings
  }

  // MARK: Sources

  private func collectFile(into given: inout [String: GivenSetting], _ problems: inout [String]) {
    guard let file else { return }
    let known = Set(Setting.all.map(\.id)), sections = Set(Setting.all.compactMap(\.section))
    for entry in file.entries {
      let origin = SettingOrigin.file(path: file.path, key: entry.key, line: entry.line)
      if known.contains(entry.key) {
        if let value = entry.value, !value.isEmpty { given[entry.key] = GivenSetting(value: value, origin: origin) }
      } else if !sections.contains(entry.key) {
        problems.append(Self.unknown(origin, nearest: NearestName.nearest(to: entry.key, among: known.sorted())))
      } else if entry.value?.isEmpty == false {
        problems.append("\(origin.description) is a section: its settings stand below it, indented")
      }
    }
  }

  private func collectEnvironment(into given: inout [String: GivenSetting], _ problems: inout [String]) {
    for setting in Setting.all {
      guard let value = environment[setting.variable], !Self.isServiceLink(setting.variable, value) else { continue }
      let text = SettingFile.withoutLineEnd(value)
      if !text.isEmpty {
        given[setting.id] = GivenSetting(value: .text(text), origin: .environment(variable: setting.variable))
      }
    }
    let known = Set(Setting.all.map(\.variable)).union([Setting.fileVariable])
    for variable in environment.keys.sorted() where variable.hasPrefix(Setting.prefix) && !known.contains(variable) {
      let name = String(variable.dropFirst(Setting.prefix.count))
      if Self.isServiceLink(variable, environment[variable] ?? "") { continue }
      let nearest = NearestName.nearest(to: name, among: Setting.all.map(\.name).sorted())
      let setting = Setting.all.first { $0.name == nearest }
      problems.append(Self.unknown(.environment(variable: variable), nearest: setting?.variable))
    }
  }

  /// Puts the secret in the place of the file that holds it, unless the secret was given in a stronger way.
  private func readSecretFiles(_ given: inout [String: GivenSetting], _ problems: inout [String]) {
    for setting in Setting.all {
      guard case .file(let secret) = setting.target, let file = given[setting.id] else { continue }
      guard let path = file.value.text.flatMap({ SettingType<String>.path.value(.text($0)) }) else {
        problems.append(Self.problem(setting, file))
        continue
      }
      if let direct = given[secret], direct.origin.rank >= file.origin.rank {
        if direct.origin.rank == file.origin.rank {
          problems.append("\(file.origin.description) and \(direct.origin.description) are both given: keep one")
        }
        continue
      }
      given[secret] = nil
      guard secrets.contains(secret) else { continue }
      do {
        let text = try SettingFile.readSecret(path, subject: "\(file.origin.description) is \"\(path)\"")
        given[secret] = GivenSetting(value: .text(text), origin: file.origin)
      } catch {
        problems.append(contentsOf: error.problems)
      }
    }
  }

  // MARK: Messages

  private static func problem(_ setting: Setting, _ given: GivenSetting) -> String {
    let shown =
      switch given.value {
      case _ where setting.isSecret: "can't be used"
      case .text(let text): "is \"\(TerminalText.shortened(text, to: 60))\""
      case .list: "is a list"
      }
    return "\(given.origin.description) \(shown): allowed is \(setting.form.allowed)"
  }

  private static func unknown(_ origin: SettingOrigin, nearest: String?) -> String {
    "\(origin.description) is unknown; the nearest known one is \(nearest ?? "")"
  }

  /// Whether Kubernetes (or Docker's links) adds the variable to the environment, for a Service whose name begins with
  /// notify-bridge. `NOTIFY_BRIDGE_HTTP_PORT` is that of a Service notify-bridge-http where its value is a URL.
  private static func isServiceLink(_ variable: String, _ value: String) -> Bool {
    let link = /.*_(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)/
    if variable.wholeMatch(of: link) != nil { return true }
    return variable.hasSuffix("_PORT") && ["tcp://", "udp://", "sctp://"].contains { value.hasPrefix($0) }
  }
}
