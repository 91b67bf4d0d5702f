internal import Logging
internal import NotifyCore
internal import Synchronization

/// What the store's actors have in common: a connection, trying again, and being told to stop.
///
/// Used on the actor's own thread, but for `wake` and `stop`.
final class RetryingConnection {
  /// The part that other threads may touch.
  final class Signal: Sendable {
    private let stopped = Atomic<Bool>(false)
    private let waker: PGConnection.Waker

    init(_ waker: PGConnection.Waker) { self.waker = waker }

    var isStopped: Bool { stopped.load(ordering: .acquiring) }

    func wake() { waker.wake() }

    func stop() {
      stopped.store(true, ordering: .releasing)
      waker.wake()
    }
  }

  let connection: PGConnection
  let signal: Signal
  private let context: StoreContext
  private let name: String
  /// The tables that the connection serves.
  private(set) var served: [TableMapping] = []
  private var servedVersion: UInt64 = 0
  private var backoff = Backoff()
  private var lastReason: String?
  /// Of the five connections the listener's speaks for all when the database goes and comes.
  private var level: Logger.Level { name == "listen" ? .info : .debug }

  /// - Parameter name: what the connection is for, for the log and pg_stat_activity.
  init(_ name: String, _ context: StoreContext) throws(StoreError) {
    self.name = name
    self.context = context
    connection = try PGConnection(pooler: context.settings.pooler)
    signal = Signal(connection.waker)
  }

  /// Connects.
  func connect(_ url: Secret) throws(StoreError) {
    try connection.connect(
      url: url, applicationName: "\(context.settings.applicationName) \(name)", timeout: Limits.connectTimeout)
  }

  /// Connects where need be, and waits until the listener confirms that it sees the same history.
  ///
  /// - Returns: the present where the connection is new, else nil.
  func connectConfirmed() async throws(StoreError) -> GenerationFence.Generation? {
    if connection.isConnected { return nil }
    try connect(context.settings.url)
    guard let moment = await context.fence.confirm() else {
      connection.close()
      throw StoreError(.notConnected, message: "waiting for the listening connection", isRetriable: true)
    }
    return moment
  }

  /// Reads and marks the tables that the listener says are served.
  func serve() throws(StoreError) {
    guard let (version, list) = context.sources(since: servedVersion) else { return }
    try connection.serve(list)
    servedVersion = version
    served = list
  }

  /// Something worked: the next failure is tried again at once, and logged.
  func succeeded() {
    backoff.reset()
    guard lastReason != nil else { return }
    lastReason = nil
    context.logger.log(level: level, "database connection is back", metadata: ["for": "\(name)"])
  }

  /// Something failed: logs where the reason is a new one, and waits.
  ///
  /// - Returns: at once when woken; so a stop is never held up.
  func failed(_ error: StoreError) {
    let wait = fail(error)
    guard wait > .zero, !signal.isStopped else { return }
    _ = try? connection.wait(wait)
  }

  /// Something failed: logs where the reason is a new one.
  ///
  /// - Returns: how long to wait before trying again.
  func fail(_ error: StoreError) -> Duration {
    if error.concernsValue { context.payloadFailed.store(true, ordering: .relaxed) }
    if lastReason != error.loggable {
      lastReason = error.loggable
      var metadata: Logger.Metadata = ["for": "\(name)"]
      if !error.hint.isEmpty { metadata["hint"] = "\(error.hint)" }
      // What the others can't reach, the listener can't either: it tells the operator, once.
      let level = error.code == .server || self.level == .info ? Logger.Level.warning : .debug
      context.logger.log(level: level, "\(error.loggable); trying again", metadata: metadata)
    }
    connection.close()
    return backoff.next(jitter: Double.random(in: 0..<1))
  }
}
