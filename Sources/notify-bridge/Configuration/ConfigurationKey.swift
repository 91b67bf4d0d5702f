/// A setting of the bridge: one entry of the table from which parsing, help, validation and documentation derive.
struct ConfigurationKey: Sendable {
  /// Where it stands in the file: a section and a name, or a name alone.
  let path: [String]
  /// What its value must be.
  let type: ConfigurationType
  /// The value where none is given, as text; nil for none.
  let defaultValue: String?
  /// What the number counts, for people.
  let unit: String?
  /// One sentence.
  let summary: String
  /// Whether a change in the file counts from the next SIGHUP on.
  let isReloadable: Bool
  /// The path of the secret whose file this setting names.
  let fileOf: [String]?

  init(
    _ path: [String], _ type: ConfigurationType, defaultValue: String? = nil, unit: String? = nil, summary: String,
    isReloadable: Bool = false, fileOf: [String]? = nil
  ) {
    self.path = path
    self.type = type
    self.defaultValue = defaultValue
    self.unit = unit
    self.summary = summary
    self.isReloadable = isReloadable
    self.fileOf = fileOf
  }

  /// Its name without prefix or punctuation style: `HTTP_PORT`. Unique in the table.
  var name: String { path.joined(separator: "_").uppercased() }

  /// Its environment variable. `DATABASE_URL` is what hosting platforms call it, so it has no prefix.
  var variable: String { isDatabaseURL ? name : Self.prefix + name }

  /// Its flag, without the dashes in front.
  var flag: String { name.lowercased().replacing("_", with: "-") }

  /// Its place in the file, for messages.
  var yamlPath: String { path.joined(separator: ".") }

  /// Whether its value must never be shown.
  var isSecret: Bool { type == .secret || type == .databaseURL }

  /// What every variable but `DATABASE_URL` begins with.
  static let prefix = "NOTIFY_BRIDGE_"

  private var isDatabaseURL: Bool { name == "DATABASE_URL" || name == "DATABASE_URL_FILE" }

  /// The setting of this name (`HTTP_PORT`).
  static func named(_ name: String) -> ConfigurationKey? { byName[name] }

  private static let byName = Dictionary(all.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
}

extension ConfigurationKey: Hashable {
  static func == (left: ConfigurationKey, right: ConfigurationKey) -> Bool { left.path == right.path }

  func hash(into hasher: inout Hasher) { hasher.combine(path) }
}
