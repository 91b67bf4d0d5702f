/// When the doorbell goes from quiet to busy and back.
package struct DoorbellSettings: Sendable, Equatable {
  /// Transactions with rows per second from which on it is busy; a tenth of it is enough with ten times as many rows.
  package var busyRate: Double { didSet { calmRate = busyRate / 2 } }
  /// Below which it is calm again; half of it, so that it doesn't go back and forth.
  package var calmRate: Double
  /// How long it has to be calm before commits ring again.
  package var quietAfter: Duration
  /// How long a busy bridge waits between two fetches, at least.
  package var poll: Duration
  /// How long it waits at most, while very many rows come; where it is less than `poll`, that counts.
  package var longestPoll: Duration
  /// Writers are made not to ring, since they prepare their transactions: a slow poll goes on while quiet.
  package var twoPhaseWriters: Bool
  /// Over which time rates are taken.
  package var window = Limits.doorbellWindow
  /// The shortest time between two changes of the replica row.
  package var changeInterval = Limits.doorbellChangeInterval
  /// How often to fetch although nothing rang.
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
