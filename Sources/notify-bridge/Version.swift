/// How the program names itself.
enum Version {
  /// The program's version.
  static let number = "0.1.0"
  /// The name of its connections in PostgreSQL's `pg_stat_activity`.
  static let applicationName = "notify-bridge"
}
