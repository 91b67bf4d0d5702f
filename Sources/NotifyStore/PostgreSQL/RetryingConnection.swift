internal import Logging
internal import NotifyCore

/// A connection that a service keeps: it connects again after failures, with growing pauses, and logs each new reason once.
///
/// Used on the service's thread only, apart from its `signal`.
final class RetryingConnection {
  /// Tells the five connections apart in logs and in pg_stat_activity.
  enum Purpose: String {
    case listen, mark, replay, auth, maintenance
  }

  let connection: PGConnection
  let signal: StopSignal
  private let purpose: Purpose
  private let settings: StoreSettings
  private let fence: GenerationFence
  private let tables: ServedTables
  private let logger: Logger
  /// The tables that the connection serves.
  private(set) var served: [TableMapping] = []
  private var servedVersion: UInt64 = 0
  private var backoff = Backoff()
  private var lastReason: String?
  /// The listening connection reports for all when the database goes and comes.
  private var level: Logger.Level { purpose == .listen ? .info : .debug }

  init(_ purpose: Purpose, of store: Store) throws(StoreError) {
    self.purpose = purpose
    settings = store.settings
    fence = store.fence
    tables = store.tables
    logger = store.logger
    connection = try PGConnection(pooler: store.settings.pooler)
    connection.setRowBytes(store.limits.rowBytes)
    signal = StopSignal(connection.waker)
  }

  /// Connects.
  func connect(_ url: Secret) throws(StoreError) {
    try connection.connect(
      url: url, applicationName: "\(settings.applicationName) \(purpose.rawValue)", timeout: Limits.connectTimeout)
  }

  /// Connects unless connected, and waits until the listening connection is known to see the same history.
  ///
  /// - Returns: the current generation where the connection is new, else nil.
  func connectWhenCurrent() async throws(StoreError) -> GenerationFence.Generation? {
    if connection.isConnected { return nil }
    try connect(settings.url)
    guard let generation = await fence.waitUntilCurrent() else {
      connection.close()
      throw StoreError(.notConnected, message: "waiting for the listening connection", isRetriable: true)
    }
    return generation
  }

  /// Serves the tables that were published last.
  func serve() throws(StoreError) {
    guard let (version, mappings) = tables.mappings(since: servedVersion) else { return }
    try connection.serve(mappings)
    servedVersion = version
    served = mappings
  }

  /// Something worked: the next failure is tried again at once, and logged.
  func succeeded() {
    backoff.reset()
    guard lastReason != nil else { return }
    lastReason = nil
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
    if lastReason != error.description {
      lastReason = error.description
      var metadata: Logger.Metadata = ["for": "\(purpose.rawValue)"]
      if !error.hint.isEmpty { metadata["hint"] = "\(error.hint)" }
      // A server that the others can't reach, the listening connection can't reach either: one warning is enough.
      let level = error.code == .server || self.level == .info ? Logger.Level.warning : .debug
      logger.log(level: level, "\(error); trying again", metadata: metadata)
    }
    connection.close()
    return backoff.next(jitter: Double.random(in: 0..<1))
  }
}
