import NotifyStore

/// The triggers on Django's tables that end access at once, for `attach --logins` and `detach`.
enum DjangoTriggers {
  /// The number of tries on a locked table. Each try waits for three seconds only, so that others queue behind it no
  /// longer.
  private static let tries = 10

  /// Makes a logout, a deleted token, a changed password and a deactivated user close their sockets.
  ///
  /// Safe to repeat. The rights of the bridge's role follow by `grant_to`.
  ///
  /// - Parameter userTable: the table of users; nil where the database is to find it.
  /// - Returns: the changes, a line each.
  static func attach(_ connection: PGConnection, userTable: String? = nil) throws(StoreError) -> [String] {
    if let userTable, try connection.query("SELECT notify_bridge.find_table($1)", [userTable])[0][0] == nil {
      throw StoreError(.server, message: "there is no table \(TerminalText.shortened(userTable, to: 80))")
    }
    return try perform(connection, "SELECT notify_bridge.attach_logins(notify_bridge.find_table($1))", [userTable])
  }

  /// Undoes it.
  ///
  /// - Returns: the changes, a line each.
  static func detach(_ connection: PGConnection) throws(StoreError) -> [String] {
    try perform(connection, "SELECT notify_bridge.detach_logins()", [])
  }

  private static func perform(
    _ connection: PGConnection, _ statement: String, _ parameters: [String?]
  ) throws(StoreError) -> [String] {
    for _ in 1..<tries {
      do {
        return try connection.query(statement, parameters, timeout: .seconds(60)).compactMap { $0[0] }
      } catch  where error.sqlstate == "55P03" {
        continue
      }
    }
    return try connection.query(statement, parameters, timeout: .seconds(60)).compactMap { $0[0] }
  }
}
