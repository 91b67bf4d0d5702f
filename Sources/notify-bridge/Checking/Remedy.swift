/// Fixes that several checks name.
enum Remedy {
  /// The statement that gives a role its rights.
  static func grant(_ role: String) -> String {
    "As the owner of the database: SELECT notify_bridge.grant_to('\(role.replacing("'", with: "''"))')"
  }
}
