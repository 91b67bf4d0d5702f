import NotifyCore
import NotifyStore

/// A connection on which tables are attached and detached.
struct AttachSession {
  /// How long a statement waits for other sessions' locks, all in all.
  private static let lockTimeout: Duration = .seconds(600)
  /// How long it waits for another program that attaches the table, which may build indexes.
  private static let claimTimeout: Duration = .seconds(86_400)

  let connection: PGConnection
  let url: Secret

  /// Connects, and requires that the schema exists and the role may change it.
  static func open(_ settings: Settings) throws -> AttachSession {
    let url = try Database.url(settings)
    let session = AttachSession(connection: try Database.connect(url), url: url)
    try session.requireOwner()
    try Migrator(session.connection).verify()
    try session.connection.useSearchPathOfRole()
    if !session.connection.isPooled {
      // The server then notices soon that this program was interrupted. Not all systems support it.
      _ = try? session.connection.query("SET client_connection_check_interval = '500ms'")
    }
    return session
  }

  private func requireOwner() throws {
    let rows = try connection.query(
      """
      SELECT current_user, pg_catalog.pg_get_userbyid(n.nspowner) FROM pg_namespace AS n
      WHERE n.nspname = 'notify_bridge' AND NOT pg_catalog.pg_has_role(n.nspowner, 'USAGE')
      """)
    guard let row = rows.first, let role = row[0], let owner = row[1] else { return }
    throw CommandFailure(
      "the role \(role) may not change schema notify_bridge, which belongs to \(owner)",
      remedy: "Run it as a role that owns both the schema and the table, or as a member of both owners:\n"
        + "GRANT \"\(owner)\" TO \"\(role)\"")
  }

  /// Runs a statement of `notify_bridge`. Its errors carry their fix.
  @discardableResult
  func query(
    _ sql: String, _ parameters: [String?] = [], timeout: Duration = .seconds(60)
  ) throws -> [[String?]] {
    do {
      return try connection.query(sql, parameters, timeout: timeout)
    } catch {
      throw Self.explained(error)
    }
  }

  /// Runs a statement, and again while other sessions' locks are in its way.
  func retryLocked(_ sql: String, _ parameters: [String?] = [], on table: TableName) throws -> [[String?]] {
    do {
      return try connection.retryLocked(
        sql, parameters, timeout: .seconds(3_600), totalTimeout: Self.lockTimeout
      ) { error in
        let holder = (try? holder(of: table)) ?? ""
        FileOutput.printError("waiting: \(error.message)\(holder). Trying again.")
      }
    } catch {
      throw Self.explained(error)
    }
  }

  private static func explained(_ error: StoreError) -> any Error {
    guard error.code == .server else { return error }
    let owner = "Run it as a role that owns both the table and schema notify_bridge."
    return CommandFailure(
      error.message, remedy: error.hint.isEmpty && error.sqlstate == "42501" ? owner : error.hint,
      status: error.sqlstate == "42P08" ? .usage : .failed)
  }

  /// Claims the table for this session, so that two programs don't build the same indexes.
  func claim(_ table: TableName) throws {
    guard !connection.isPooled else { return }
    var retry = LockRetry(timeout: Self.claimTimeout, from: .now)
    while true {
      let rows = try connection.query(
        "SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended('notify_bridge.attach', $1::int8))",
        [table.number])
      if rows.first?.first == "t" { return }
      let waiting = "another program attaches or detaches \(table.name)"
      guard let pause = retry.next(at: .now) else { throw CommandFailure(waiting) }
      if retry.attempts == 1 { FileOutput.printError("waiting: \(waiting)") }
      LockRetry.sleep(pause)
    }
  }

  /// Names the session that has used the table for longest, as far as this role may know.
  private func holder(of table: TableName) throws -> String {
    let rows = try connection.query(
      """
      SELECT a.pid, a.usename, a.state, extract(epoch FROM clock_timestamp() - a.xact_start)::int8
      FROM pg_locks AS l JOIN pg_stat_activity AS a ON a.pid = l.pid
      WHERE l.relation = $1::int8::oid AND l.granted AND l.pid <> pg_backend_pid()
      ORDER BY a.xact_start LIMIT 1
      """, [table.number])
    guard let row = rows.first, let pid = row[0] else { return "" }
    let details = [row[1], row[2], row[3].map { "for \($0) s" }].compactMap { $0 }.joined(separator: ", ")
    return "; process \(pid) has it (\(TerminalText.shortened(details, to: 80)))"
  }
}
