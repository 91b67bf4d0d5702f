internal import Logging
internal import NotifyCore

/// A connection that a service keeps: it connects again after failures, with growing pauses, and logs each new reason once.
///
/// Used on the service's thread only, apart from its `signal`.
package final class RetryingConnection {
  private static let notYet = "not connected yet"
  /// Connections that a bridge keeps.
  package static let count = Purpose.allCases.count

  /// Tells the connections apart in logs and in pg_stat_activity.
  enum Purpose: String, CaseIterable {
    case listen, mark, replay, auth, maintenance, activity
  }

  let connection: PGConnection
  let signal: StopSignal
  private let purpose: Purpose
  private let settings: StoreSettings
  private let urls: DatabaseURLs
  private let fence: GenerationFence
  private let tables: ServedTables
  private let status: BridgeStatus
  private let logger: Logger
  /// The tables that the connection serves.
  var served: [TableMapping] { version.mappings }
  /// The numbers of tables that can't be read, and are not served.
  var missing: [Int32] { version.missing }
  private var version = ServedTables.Publication()
  /// Where it is connected to.
  private var address: Secret?
  private var backoff = Backoff()
  private var lastReason: String?
  /// Whether the last reason was logged as a warning.
  private var hasWarned = false
  /// The listening connection reports for all when the database goes and comes.
  private var level: Logger.Level { purpose == .listen ? .info : .debug }

  init(_ purpose: Purpose, of store: Store) throws(StoreError) {
    self.purpose = purpose
    settings = store.settings
    urls = store.urls
    fence = store.fence
    tables = store.tables
    status = store.status
    logger = store.logger
    connection = try PGConnection(pooler: store.settings.pooler)
    connection.setRowBytes(store.limits.rowBytes)
    signal = StopSignal(connection.waker)
    connection.onSilence(after: Limits.silentLink) { [unowned self] in isLinkSilent }
    report(failure: Self.notYet)
  }

  /// Connects.
  ///
  /// - Returns: the URL that it is connected to.
  @discardableResult
  func connect() throws(StoreError) -> Secret {
    let url = purpose == .listen ? urls.listenURL : urls.url
    address = url
    if lastReason == nil { report(failure: Self.notYet) }
    try connection.connect(
      url: url, applicationName: "\(settings.applicationName) \(purpose.rawValue)", timeout: Limits.connectTimeout)
    return url
  }

  /// Connects unless connected, and waits until the listening connection is known to see the same history.
  ///
  /// - Parameter isTaken: whether another connection needs this one's place; it is closed again then.
  /// - Returns: the current generation where the connection is new, else nil.
  func connectWhenCurrent(
    unless isTaken: () -> Bool = { false }
  ) async throws(StoreError) -> GenerationFence.Generation? {
    if connection.isConnected { return nil }
    try connect()
    if isTaken() {
      connection.close()
      throw StoreError(.notConnected, message: "another connection is missing", isRetriable: true)
    }
    if connection.isPooled { try checkTransactions() }
    guard let generation = await fence.waitUntilCurrent() else {
      connection.close()
      throw StoreError(.notConnected, message: "waiting for the listening connection", isRetriable: true)
    }
    if lastReason == nil { report(failure: nil) }
    return generation
  }

  /// Whether the server has no statement of this connection under way, or can't send its answer. False where that can't be
  /// told: the server can't be reached by another connection either, or a pooler chooses its processes.
  private var isLinkSilent: Bool {
    guard let address, !connection.isPooled,
      let other = try? PGConnection.connect(
        url: address, applicationName: "\(settings.applicationName) link", timeout: Limits.connectTimeout)
    else { return false }
    defer { other.close() }
    let busy = try? other.query(
      """
      SELECT FROM pg_stat_activity
      WHERE pid = $1::integer AND state = 'active' AND wait_event IS DISTINCT FROM 'ClientWrite'
      """, [String(connection.backendPID)])
    return busy?.isEmpty ?? false
  }

  /// Behind a pooler each statement is a transaction that makes its own settings, which statement mode does not allow.
  private func checkTransactions() throws(StoreError) {
    try connection.query("BEGIN")
    try connection.query("COMMIT")
  }

  /// Tells the bridge's status; the listening connection has more to say, and says it itself. Without presence and logs
  /// the bridge is ready all the same.
  private func report(failure: String?) {
    if purpose != .listen, purpose != .activity { status.connection(purpose.rawValue, fails: failure) }
  }

  /// Serves the tables that were published last.
  func serve() throws(StoreError) {
    guard let version = tables.version(since: version.number) else { return }
    try connection.serve(version.mappings)
    self.version = version
  }

  /// Something worked: the next failure is tried again at once, and logged.
  func succeeded() {
    backoff.reset()
    guard lastReason != nil else { return }
    lastReason = nil
    report(failure: nil)
    logger.log(level: level, "database connection is back", metadata: ["for": "\(purpose.rawValue)"])
  }

  /// Something failed: closes the connection and pauses. A wake ends the pause, so a stop is never held up.
  func failed(_ error: StoreError) {
    let pause = closeAfter(error)
    guard pause > .zero, !signal.isStopped else { return }
    _ = try? connection.wait(pause)
  }

  /// Something failed: closes the connection, and logs the reason where it is a new one.
  ///
  /// - Returns: how long to pause before the next attempt.
  func closeAfter(_ error: StoreError) -> Duration {
    let error = error.loggable
    let isNew = lastReason != error.description
    // A server that the others can't reach, the listening connection can't reach either: one warning is enough. Where
    // the listening connection still works when this one fails again, it is this one's own failure.
    let isOwn = error.code == .server || purpose == .listen || (!isNew && status.isListening)
    if isNew || (isOwn && !hasWarned) {
      var metadata: Logger.Metadata = ["for": "\(purpose.rawValue)"]
      if !error.hint.isEmpty { metadata["hint"] = "\(error.hint)" }
      logger.log(level: isOwn ? .warning : .debug, "\(error); trying again", metadata: metadata)
    }
    lastReason = error.description
    hasWarned = isOwn || (hasWarned && !isNew)
    report(failure: error.description)
    connection.close()
    if urls.renew(after: error) {
      logger.notice("the database refused the password: a new one was read", metadata: ["for": "\(purpose.rawValue)"])
      backoff.reset()
    }
    return backoff.next(jitter: Double.random(in: 0..<1))
  }
}
