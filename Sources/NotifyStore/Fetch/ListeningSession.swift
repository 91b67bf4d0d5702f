internal import Foundation
internal import NotifyCore

/// The session that LISTENs: its replica row, and the statements that the doorbell needs.
///
/// `Documentation/database.md`, "The doorbell".
struct ListeningSession {
  private let connection: PGConnection
  /// The id of this bridge's row in `notify_bridge.replica`.
  let replica: String

  /// LISTENs on a fresh connection, and registers this bridge, armed.
  ///
  /// - Parameter url: the server that the connection is connected to.
  /// - Throws: `pooler` where no notification passes.
  init(_ connection: PGConnection, at url: Secret, _ settings: StoreSettings) throws(StoreError) {
    if connection.isPooled, try !ListenProbe.receivesNotifications(connection, at: url) {
      throw StoreError(
        .pooler, message: "LISTEN works through no pooler in transaction mode: no notification arrived",
        hint: "Set NOTIFY_BRIDGE_DATABASE_LISTEN_URL to the server itself; DATABASE_URL may stay the pooler's.")
    }
    try connection.listen("notify_bridge")
    let rows = try connection.query(
      "SELECT notify_bridge.register_replica($1, $2, $3::integer, $4)",
      [
        settings.applicationName, Self.hostName(), String(ProcessInfo.processInfo.processIdentifier), settings.version,
      ])
    guard let replica = rows[0][0] else { throw StoreError(.badAnswer, message: "no replica id") }
    self.connection = connection
    self.replica = replica
    try arm(true)
  }

  /// Reads which history the database is in.
  ///
  /// - Throws: `standby` and, while a dump is being restored, `schema`, both retriable.
  static func epoch(_ connection: PGConnection) throws(StoreError) -> Epoch {
    if try connection.query("SELECT pg_is_in_recovery()")[0][0] == "t" {
      throw StoreError(
        .standby, message: "this server is a standby, LISTEN and marking need the primary",
        hint: "Point DATABASE_URL at the primary, or name several hosts with target_session_attrs=read-write.",
        isRetriable: true)
    }
    return try DatabaseIdentity(connection).epoch
  }

  /// Touches the replica row, in a synchronous commit.
  ///
  /// - Returns: the transaction, which is on disk.
  func heartbeat() throws(StoreError) -> UInt64 {
    try transactionID("SELECT notify_bridge.heartbeat_replica($1::integer)::text", [replica])
  }

  /// Has commits ring for this bridge, or spares them that.
  func arm(_ armed: Bool) throws(StoreError) {
    try connection.query(
      "SELECT notify_bridge.arm($1::integer, $2::boolean)", [replica, armed ? "true" : "false"])
  }

  /// Takes a transaction id in a new transaction: the barrier, once an arming was committed.
  func barrier() throws(StoreError) -> UInt64 {
    try transactionID("SELECT pg_current_xact_id()::text")
  }

  /// Counts the sessions that wait for the lock of database 0, which NOTIFY takes at commit.
  func lockWaits() throws(StoreError) -> Int {
    let text = try connection.query(
      """
      SELECT count(*) FROM pg_locks
      WHERE NOT granted AND locktype = 'object' AND database = 0::oid AND classid = 'pg_catalog.pg_database'::regclass::oid
        AND objid = 0::oid
      """)[0][0]
    return text.flatMap { Int($0) } ?? 0
  }

  /// Waits for a time, or until woken. Doorbells don't end it: they may be for another bridge.
  ///
  /// - Returns: how many doorbells came meanwhile.
  func pause(_ duration: Duration) throws(StoreError) -> Int {
    let end = ContinuousClock.now + duration
    var doorbells = 0
    repeat {
      let event = try connection.wait(max(end - .now, .zero))
      doorbells += event.doorbells
      if event.isWoken { break }
    } while ContinuousClock.now < end
    return doorbells
  }

  /// The current snapshot.
  func snapshot() throws(StoreError) -> Snapshot {
    let text = try connection.query("SELECT pg_current_snapshot()::text")[0][0] ?? ""
    guard let snapshot = Snapshot(text) else {
      throw StoreError(.badAnswer, message: "the server's snapshot can't be read")
    }
    return snapshot
  }

  /// Gives rows of a restored dump that have transaction ids of another cluster one of this.
  ///
  /// - Returns: how many there were, as text.
  func repairTransactionIDs() throws(StoreError) -> String {
    try connection.query("SELECT notify_bridge.repair_txids()", timeout: Limits.scanTimeout)[0][0] ?? "0"
  }

  /// Deletes the replica row, where the connection still stands, and closes.
  func end() {
    guard connection.isConnected else { return }
    _ = try? connection.query(
      "SELECT notify_bridge.unregister_replica($1::integer)", [replica], timeout: .seconds(1))
    connection.close()
  }

  private func transactionID(_ sql: String, _ parameters: [String?] = []) throws(StoreError) -> UInt64 {
    guard let id = try connection.query(sql, parameters)[0][0].flatMap({ UInt64($0) }) else {
      throw StoreError(.badAnswer, message: "no transaction id")
    }
    return id
  }

  /// This machine's name, without the DNS look-up that Foundation makes.
  private static func hostName() -> String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "" }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
