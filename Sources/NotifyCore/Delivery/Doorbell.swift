/// Decides when to fetch, and whether commits are to ring at all.
///
/// A transaction that NOTIFYs holds a lock of the whole cluster while it commits, so writers queue up behind each
/// other as long as they ring. Quiet: each commit rings, and is fetched at once. Busy: none rings, and this bridge
/// fetches every few milliseconds; at many rows a second, the longer a fetch takes, the longer it waits before the next,
/// so that more rows share a fetch, a write to a socket and a marking. Going back to quiet, a transaction that read
/// `armed = false` rings nothing, so doorbells alone can be relied on only once all have ended that could have read it:
/// when a fetch's own snapshot has `xmin >= B`, B being a transaction id taken after the arming was committed
/// (`database.md`). Until then it is arming.
///
/// A value: instants are arguments, and each input returns what is to be done next.
package struct Doorbell: Sendable, Equatable {
  /// Which commits ring, and whether doorbells can be relied on.
  package enum State: Sendable, Equatable {
    /// Every commit rings.
    case quiet
    /// No commit has to ring.
    case busy
    /// Commits ring again, but transactions below the barrier may not; nil while it is not known yet.
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

  /// What is to be done next, and which input tells that it was.
  package enum Action: Sendable, Equatable {
    /// Wait for a doorbell, at most so long, and fetch; then `fetched`.
    case wait(Duration)
    /// Fetch after so long, whatever rings; then `fetched`.
    case pause(Duration)
    /// Commit that no commit has to ring for this bridge; then `disarmed`.
    case disarm
    /// Commit that all have to; then `armed`.
    case arm
    /// Take a transaction id, in a new transaction; then `barrierTaken`.
    case takeBarrier
    /// Count the sessions that wait for the lock that NOTIFY takes; then `counted`.
    case countWaiting
  }

  package private(set) var state = State.arming(barrier: nil)
  private let settings: DoorbellSettings
  /// The last arming or disarming.
  private var changed: ContinuousClock.Instant
  /// Since when transactions and their rows are counted, and how many there were.
  private var windowStart: ContinuousClock.Instant
  private var count = Load()
  /// The last window's, per second.
  private var rate = Load()
  /// How long to wait before the next fetch while busy.
  private var pause: Duration
  /// Waiting writers were counted so often in a row and found, and when they may be counted again.
  private var crowded = 0
  private var asked: ContinuousClock.Instant
  private var countAfter: ContinuousClock.Instant
  /// Busy: below which rate it is calm, and since when it has been.
  private var calmRate: Double
  private var calmSince: ContinuousClock.Instant?

  /// Makes the doorbell of a new session, which has armed its replica row: the next input is `armed`.
  package init(_ settings: DoorbellSettings, at now: ContinuousClock.Instant) {
    self.settings = settings
    changed = now
    windowStart = now
    asked = now
    countAfter = now
    calmRate = settings.calmRate
    pause = settings.poll
  }

  /// Whether every row rings: then a fetch without a doorbell must find nothing.
  package var isReliedOn: Bool { state == .quiet && !settings.twoPhaseWriters }

  // MARK: Inputs

  /// It was committed that all commits have to ring.
  package mutating func armed(at now: ContinuousClock.Instant) -> Action {
    change(to: .arming(barrier: nil), at: now)
    return .takeBarrier
  }

  /// A transaction id was taken after that: B.
  package mutating func barrierTaken(_ barrier: UInt64) -> Action {
    state = .arming(barrier: barrier)
    return .wait(.zero)
  }

  /// It was committed that no commit has to ring.
  package mutating func disarmed(at now: ContinuousClock.Instant) -> Action {
    change(to: .busy, at: now)
    return .pause(.zero)
  }

  /// A fetch has ended.
  ///
  /// - Parameters:
  ///   - transactions: how many wrote the rows that were found.
  ///   - rows: how many were found.
  ///   - took: the time from asking for them until they were handed over.
  package mutating func fetched(
    _ snapshot: Snapshot, transactions: Int, rows: Int, took: Duration, at now: ContinuousClock.Instant
  ) -> Action {
    count.transactions += Double(transactions)
    count.rows += Double(rows)
    pause = pauseAfter(took)
    if case .arming(let barrier?) = state, snapshot.xmin >= barrier { state = .quiet }
    let isFull = now - windowStart >= settings.window
    // At many a second that is known long before the window's end.
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
      crowded = 0
      return rest
    }
    guard isFull, now >= countAfter else { return rest }
    asked = now
    return .countWaiting
  }

  /// So many sessions wait for the lock that NOTIFY takes.
  ///
  /// Where commits are slow, few of them are enough to queue up, far below any rate that would tell.
  package mutating func counted(waiting: Int, at now: ContinuousClock.Instant) -> Action {
    // Counting reads all locks: where there are many, it takes its time, and is to take one hundredth of all.
    countAfter = now + (now - asked) * 100
    crowded = waiting > 0 ? crowded + 1 : 0
    guard state != .busy, crowded >= Limits.doorbellCounts, mayChange(at: now) else { return rest }
    calmRate = min(settings.calmRate, rate.transactions / 2)
    return .disarm
  }

  // MARK: Decisions

  /// How long to wait after a fetch that took so long, while busy. Few rows gain little from waiting for each other.
  private func pauseAfter(_ took: Duration) -> Duration {
    guard rate.rows >= settings.busyRate * Limits.doorbellCollects else { return settings.poll }
    return max(settings.poll, min(took * Limits.doorbellPauses, settings.longestPoll))
  }

  /// What to do where nothing changes.
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

  /// Each change leaves a dead version of the replica row, which every writer's trigger walks over for a while.
  private func mayChange(at now: ContinuousClock.Instant) -> Bool {
    now - changed >= settings.changeInterval
  }

  private mutating func change(to new: State, at now: ContinuousClock.Instant) {
    state = new
    changed = now
    startWindow(at: now)
    crowded = 0
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

  /// Whether so many rows come in so many transactions that it pays to collect them, though their commits hardly queue.
  func isHeavy(_ rate: Double) -> Bool { transactions >= rate / 10 && rows >= rate * 10 }

  static func / (count: Load, seconds: Double) -> Load {
    Load(transactions: count.transactions / seconds, rows: count.rows / seconds)
  }
}

extension Duration {
  fileprivate var inSeconds: Double { self / .seconds(1) }
}
