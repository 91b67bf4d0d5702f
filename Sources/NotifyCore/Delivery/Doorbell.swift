/// Decides when to fetch, and whether commits ring at all.
///
/// A transaction that NOTIFYs holds a lock of the whole cluster while it commits, so writers queue up behind each other
/// while they ring. Quiet: each commit rings, and is fetched at once. Busy: no commit rings, and the bridge fetches every
/// few milliseconds. At many rows a second it pauses for longer after a longer fetch, so that more rows share a fetch, a
/// write to a socket and a marking.
///
/// The way back to quiet is the arming: a transaction that found the bridge disarmed rings nothing, so doorbells can be
/// relied on only once all such transactions have ended. They have when a fetch's own snapshot has `xmin >= B`, B being a
/// transaction id taken after the arming was committed. (`Documentation/database.md`, "The doorbell")
///
/// A value: instants are arguments, and each input returns the next action.
package struct Doorbell: Sendable, Equatable {
  /// Which commits ring, and whether doorbells can be relied on.
  package enum State: Sendable, Equatable {
    /// Every commit rings.
    case quiet
    /// No commit has to ring.
    case busy
    /// Commits ring again, but transactions below the barrier may not; nil until the barrier is taken.
    case arming(barrier: UInt64?)

    /// Its name in metrics and logs.
    package var name: String {
      switch self {
      case .quiet: "quiet"
      case .busy: "busy"
      case .arming: "arming"
      }
    }
  }

  /// The next action, and the input that reports it done.
  package enum Action: Sendable, Equatable {
    /// Wait for a doorbell, for this time at most, and fetch; then `fetched`.
    case wait(Duration)
    /// Fetch after this time, whether a doorbell rings or not; then `fetched`.
    case pause(Duration)
    /// Commit that no commit has to ring for this bridge; then `disarmed`.
    case disarm
    /// Commit that every commit has to ring; then `armed`.
    case arm
    /// Take a transaction id, in a new transaction; then `barrierTaken`.
    case takeBarrier
    /// Count the sessions that wait for the lock that NOTIFY takes; then `counted`.
    case countLockWaits
  }

  package private(set) var state = State.arming(barrier: nil)
  private let settings: DoorbellSettings
  /// The last arming or disarming.
  private var changed: ContinuousClock.Instant
  /// The current window's start, and its transactions and rows so far.
  private var windowStart: ContinuousClock.Instant
  private var count = Load()
  /// The last window's, per second.
  private var rate = Load()
  /// How long to wait before the next fetch while busy.
  private var pause: Duration
  /// Counts in a row that found writers waiting, the start of the last count, and the earliest next one.
  private var lockWaitStreak = 0
  private var countStart: ContinuousClock.Instant
  private var countAfter: ContinuousClock.Instant
  /// Busy: the rate below which it is calm, and the start of the calm.
  private var calmRate: Double
  private var calmSince: ContinuousClock.Instant?

  /// Makes the doorbell of a new session, which has armed its replica row: the next input is `armed`.
  package init(_ settings: DoorbellSettings, at now: ContinuousClock.Instant) {
    self.settings = settings
    changed = now
    windowStart = now
    countStart = now
    countAfter = now
    calmRate = settings.calmRate
    pause = settings.poll
  }

  /// Whether every row rings: then a fetch without a doorbell must find nothing.
  package var isReliedOn: Bool { state == .quiet && !settings.twoPhaseWriters }

  // MARK: Inputs

  /// The arming was committed: every commit has to ring.
  package mutating func armed(at now: ContinuousClock.Instant) -> Action {
    change(to: .arming(barrier: nil), at: now)
    return .takeBarrier
  }

  /// The barrier was taken, a transaction id after the arming.
  package mutating func barrierTaken(_ barrier: UInt64) -> Action {
    state = .arming(barrier: barrier)
    return .wait(.zero)
  }

  /// The disarming was committed: no commit has to ring.
  package mutating func disarmed(at now: ContinuousClock.Instant) -> Action {
    change(to: .busy, at: now)
    return .pause(.zero)
  }

  /// A fetch has ended.
  ///
  /// - Parameters:
  ///   - transactions: the number of transactions that wrote the rows.
  ///   - rows: the number of rows found.
  ///   - took: the time from the start of the fetch until its rows were delivered.
  package mutating func fetched(
    _ snapshot: Snapshot, transactions: Int, rows: Int, took: Duration, at now: ContinuousClock.Instant
  ) -> Action {
    count.transactions += Double(transactions)
    count.rows += Double(rows)
    pause = pauseAfter(took)
    if case .arming(let barrier?) = state, snapshot.xmin >= barrier { state = .quiet }
    let isFull = now - windowStart >= settings.window
    // A high rate shows long before the window's end.
    guard isFull || count.transactions >= settings.busyRate * settings.window.inSeconds else { return rest }
    let (count, start) = (self.count, windowStart)
    rate = count / max(now - start, .nanoseconds(1)).inSeconds
    startWindow(at: now)
    if state == .busy { return afterBusyWindow(from: start, at: now) }
    if rate.transactions >= settings.busyRate || rate.isHeavy(settings.busyRate), mayChange(at: now) {
      calmRate = settings.calmRate
      return .disarm
    }
    guard count.transactions > 1 else {
      lockWaitStreak = 0
      return rest
    }
    guard isFull, now >= countAfter else { return rest }
    countStart = now
    return .countLockWaits
  }

  /// The sessions that wait for the lock that NOTIFY takes were counted.
  ///
  /// Where commits are slow, few of them are enough to queue up, far below any rate that would show it.
  package mutating func counted(lockWaits: Int, at now: ContinuousClock.Instant) -> Action {
    // Counting reads all locks, which takes long where there are many: it may take one hundredth of the time.
    countAfter = now + (now - countStart) * 100
    lockWaitStreak = lockWaits > 0 ? lockWaitStreak + 1 : 0
    guard state != .busy, lockWaitStreak >= Limits.lockWaitObservations, mayChange(at: now) else { return rest }
    calmRate = min(settings.calmRate, rate.transactions / 2)
    return .disarm
  }

  // MARK: Decisions

  /// The pause after a fetch that took this long, while busy. Few rows gain little from waiting for each other.
  private func pauseAfter(_ took: Duration) -> Duration {
    guard rate.rows >= settings.busyRate * Limits.collectRowRateFactor else { return settings.poll }
    return max(settings.poll, min(took * Limits.collectDelayFactor, settings.longestPoll))
  }

  /// The action where nothing changes.
  private var rest: Action {
    switch state {
    case .quiet: .wait(settings.twoPhaseWriters ? Limits.armingInterval : settings.safetyInterval)
    case .arming: .wait(Limits.armingInterval)
    case .busy: .pause(pause)
    }
  }

  private mutating func afterBusyWindow(
    from start: ContinuousClock.Instant, at now: ContinuousClock.Instant
  ) -> Action {
    guard rate.transactions < calmRate, !rate.isHeavy(settings.calmRate) else {
      calmSince = nil
      return rest
    }
    let since = calmSince ?? start
    calmSince = since
    return now - since >= settings.quietAfter && mayChange(at: now) ? .arm : rest
  }

  /// Each change is a synchronous commit, and takes a lock that the changes of all bridges queue up for.
  private func mayChange(at now: ContinuousClock.Instant) -> Bool {
    now - changed >= settings.changeInterval
  }

  private mutating func change(to new: State, at now: ContinuousClock.Instant) {
    state = new
    changed = now
    startWindow(at: now)
    lockWaitStreak = 0
    calmSince = nil
  }

  private mutating func startWindow(at now: ContinuousClock.Instant) {
    windowStart = now
    count = Load()
  }
}

/// Transactions and their rows, counted or per second.
private struct Load: Sendable, Equatable {
  var transactions = 0.0
  var rows = 0.0

  /// Whether the rows are so many that collecting them pays, although their few commits hardly queue.
  func isHeavy(_ rate: Double) -> Bool { transactions >= rate / 10 && rows >= rate * 10 }

  static func / (count: Load, seconds: Double) -> Load {
    Load(transactions: count.transactions / seconds, rows: count.rows / seconds)
  }
}

extension Duration {
  fileprivate var inSeconds: Double { self / .seconds(1) }
}
