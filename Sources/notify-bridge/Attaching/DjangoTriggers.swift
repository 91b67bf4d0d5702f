import NotifyStore

/// The triggers on Django's tables that end access at once, for `attach --logins` and `detach`.
enum DjangoTriggers {
  /// How long to wait for other sessions' locks on Django's tables, all in all.
  private static let lockTimeout: Duration = .seconds(30)
  /// The tables, each of which gets a transaction: one that waits for a table holds no other.
  private static let kinds = ["user", "token", "session"]

  /// Makes a logout, a deleted token, a changed password and a deactivated user close their sockets.
  ///
  /// Safe to repeat. The rights of the bridge's role follow by `grant_to`.
  ///
  /// - Parameter userTable: the table of users; nil where the database is to find it.
  /// - Returns: the changes, a line each.
  static func attach(_ connection: PGConnection, userTable: String? = nil) throws(StoreError) -> [String] {
    if let userTable, try connection.query("SELECT notify_bridge.resolve_table($1)", [userTable])[0][0] == nil {
      throw StoreError(.server, message: "there is no table \(TerminalText.shortened(userTable, to: 80))")
    }
    return try perform(
      connection, "SELECT notify_bridge.attach_logins(notify_bridge.resolve_table($2), kind => $1)", [userTable])
  }

  /// Undoes it.
  ///
  /// - Returns: the changes, a line each.
  static func detach(_ connection: PGConnection) throws(StoreError) -> [String] {
    try perform(connection, "SELECT notify_bridge.detach_logins($1)", [])
  }

  private static func perform(
    _ connection: PGConnection, _ statement: String, _ parameters: [String?]
  ) throws(StoreError) -> [String] {
    var lines: [String] = []
    for kind in kinds {
      lines += try connection.retryLocked(
        statement, [kind] + parameters, timeout: .seconds(60), totalTimeout: lockTimeout
      ) { FileOutput.printError("waiting: \($0.message). Trying again.") }
      .compactMap { $0[0] }
    }
    return lines
  }
}
