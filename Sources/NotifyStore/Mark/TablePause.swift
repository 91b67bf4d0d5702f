internal import NotifyCore

/// How long a table that is set aside waits, after each failure longer. A value; instants are arguments.
struct TablePause: Sendable, Equatable {
  private(set) var until: ContinuousClock.Instant
  private var attempts = 0

  /// The first failure.
  init(at now: ContinuousClock.Instant) {
    until = now
    failed(at: now)
  }

  mutating func failed(at now: ContinuousClock.Instant) {
    attempts += 1
    until = now + Limits.quarantinePause(attempts: attempts)
  }

  /// Ends the wait, not the growth.
  mutating func end(at now: ContinuousClock.Instant) { until = now }
}
