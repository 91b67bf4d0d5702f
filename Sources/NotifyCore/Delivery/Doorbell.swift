/// Decides when to fetch: at a doorbell, while arming, and now and then for safety.
///
/// Arming: a transaction that read `armed = false` rings nothing, so doorbells alone can be relied on only once all
/// transactions have ended that could have read it: when a fetch's own snapshot has `xmin >= B`, B being a transaction id
/// taken after the arming was committed (`database.md`). A value; instants are arguments.
package struct Doorbell: Sendable, Equatable {
  /// Which doorbells can be relied on.
  package enum State: Sendable, Equatable {
    /// Transactions below `barrier` may still commit without ringing.
    case arming(barrier: UInt64)
    /// Every commit rings.
    case quiet
  }

  /// Why a fetch was made.
  package enum Cause: Sendable, Equatable {
    case doorbell
    case arming
    case safety
  }

  package private(set) var state: State
  private var suspicion: ContinuousClock.Instant?

  /// - Parameter barrier: B.
  package init(barrier: UInt64) {
    state = .arming(barrier: barrier)
  }

  /// How long to wait for a doorbell before fetching without one.
  package var patience: Duration {
    switch state {
    case .arming: Limits.armingInterval
    case .quiet: Limits.safetyInterval
    }
  }

  /// Why a fetch without a doorbell is made now.
  package var causeWithoutBell: Cause {
    switch state {
    case .arming: .arming
    case .quiet: .safety
    }
  }

  /// A doorbell rang: what a safety fetch found just before was only faster than it.
  package mutating func rang() { suspicion = nil }

  /// A fetch has ended.
  ///
  /// - Returns: whether an earlier safety fetch found rows for which no doorbell came within a second. Must never be.
  package mutating func fetched(
    _ snapshot: Snapshot, rows: Int, cause: Cause, at now: ContinuousClock.Instant
  ) -> Bool {
    if case .arming(let barrier) = state, snapshot.xmin >= barrier { state = .quiet }
    var isLost = false
    if let since = suspicion, now - since > .seconds(1) {
      suspicion = nil
      isLost = true
    }
    if cause == .safety, rows > 0 { suspicion = suspicion ?? now }
    return isLost
  }
}
