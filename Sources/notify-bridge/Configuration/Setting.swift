/// One entry of the table of settings, from which flags, variables, YAML keys, help, checks and the reference derive.
struct Setting: Sendable, Identifiable {
  /// The part of the settings that a setting sets.
  enum Target: Sendable {
    /// A value. `set` returns false for a text that is not a value of the setting's type.
    case value(
      any PartialKeyPath<Settings> & Sendable, set: @Sendable (GivenValue, inout Settings) -> Bool,
      differs: @Sendable (Settings, Settings) -> Bool)
    /// The secret with this id, read out of the file that the setting names.
    case file(of: String)
  }

  /// Its YAML key after its section: `http.port`. Unique in the table.
  let id: String
  let target: Target
  let form: SettingForm
  /// The value where none is given, as it stands in a YAML file; nil for none.
  let defaultText: String?
  /// A value to show where there is no default.
  let example: String
  /// Whether nothing works without it.
  let isRequired: Bool
  /// Whether SIGHUP applies a change.
  let isReloadable: Bool
  /// One sentence without its full stop.
  let summary: String

  /// A setting that has a default.
  ///
  /// - Parameters:
  ///   - target: the part of the settings that it sets.
  ///   - type: the type of its values, with range and unit.
  ///   - example: a value to show where the default is none that can be written.
  init<Value>(
    _ id: String, _ target: any WritableKeyPath<Settings, Value> & Sendable, _ type: SettingType<Value>,
    default defaultValue: Value, example: String = "", isRequired: Bool = false, isReloadable: Bool = false,
    _ summary: String
  ) {
    self.id = id
    self.target = .value(
      target,
      set: { given, settings in
        guard let value = type.value(given) else { return false }
        settings[keyPath: target] = value
        return true
      }, differs: { $0[keyPath: target] != $1[keyPath: target] })
    self.form = type.form
    self.defaultText = type.text(defaultValue)
    self.example = example
    self.isRequired = isRequired
    self.isReloadable = isReloadable
    self.summary = summary
  }

  /// A setting without a default: nil where it is left out.
  init<Value>(
    _ id: String, _ target: any WritableKeyPath<Settings, Value?> & Sendable, _ type: SettingType<Value>,
    example: String,
    isRequired: Bool = false, isReloadable: Bool = false, _ summary: String
  ) {
    self.init(
      id, target, type.optional, default: nil, example: example, isRequired: isRequired, isReloadable: isReloadable,
      summary)
  }

  /// The setting that names a file with a secret.
  init(fileOf secret: Setting) {
    self.id = secret.id + "_file"
    self.target = .file(of: secret.id)
    self.form = SettingType<String>.path.form
    self.defaultText = nil
    self.example = "/run/secrets/\(secret.name.lowercased())"
    self.isRequired = false
    self.isReloadable = secret.isReloadable
    self.summary = "A file that holds \(secret.id) instead (Docker secrets)"
  }

  // MARK: Names

  /// The prefix of every variable except `DATABASE_URL` and `DATABASE_URL_FILE`.
  static let prefix = "NOTIFY_BRIDGE_"

  /// The variable that names the YAML file where `--config` is not given.
  static let fileVariable = prefix + "CONFIG"

  /// Its section in the YAML file; nil where it stands in none.
  var section: String? { id.contains(".") ? String(id.prefix { $0 != "." }) : nil }

  /// Its key in its section.
  var key: String { section.map { String(id.dropFirst($0.count + 1)) } ?? id }

  /// Its name without prefix: `HTTP_PORT`.
  var name: String { id.replacing(".", with: "_").uppercased() }

  /// Its environment variable. Hosting platforms set `DATABASE_URL`, so that one has no prefix.
  var variable: String { name.hasPrefix("DATABASE_URL") ? name : Self.prefix + name }

  /// Its flag, without the dashes in front.
  var flag: String { name.lowercased().replacing("_", with: "-") }

  /// Whether its value must never be shown.
  var isSecret: Bool { form.isSecret }
}
