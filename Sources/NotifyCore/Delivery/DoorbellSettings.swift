/// The thresholds between a quiet and a busy doorbell.
package struct DoorbellSettings: Sendable, Equatable {
  /// Transactions with rows per second that make it busy; a tenth of them is enough with ten times as many rows.
  package var busyRate: Double { didSet { calmRate = busyRate / 2 } }
  /// The rate below which it is calm again: half the busy rate, so that it doesn't go back and forth.
  package var calmRate: Double
  /// How long it has to be calm before commits ring again.
  package var quietAfter: Duration
  /// How long a busy bridge waits between two fetches, at least.
  package var poll: Duration
  /// How long it waits at most, while very many rows come; `poll` counts where this is less.
  package var longestPoll: Duration
  /// Writers prepare their transactions and so are set not to ring: a slow poll goes on while quiet.
  package var twoPhaseWriters: Bool
  /// The time over which rates are taken.
  package var window = Limits.doorbellWindow
  /// The shortest time between two changes of the replica row.
  package var changeInterval = Limits.doorbellChangeInterval
  /// The time between fetches while nothing rings.
  package var safetyInterval = Limits.safetyInterval

  package init(
    busyRate: Double = 1_000, quietAfter: Duration = .milliseconds(500), poll: Duration = .milliseconds(5),
    longestPoll: Duration = .milliseconds(50), twoPhaseWriters: Bool = false
  ) {
    self.busyRate = busyRate
    calmRate = busyRate / 2
    self.quietAfter = quietAfter
    self.poll = poll
    self.longestPoll = longestPoll
    self.twoPhaseWriters = twoPhaseWriters
  }
}
