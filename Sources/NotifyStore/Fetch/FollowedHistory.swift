internal import NotifyCore

/// Decides whether a new session of the listening connection goes on from the last one. A value; instants are arguments.
struct FollowedHistory: Sendable, Equatable {
  /// The history followed so far; nil before the first session.
  private(set) var epoch: Epoch?
  /// The number of the generation.
  private(set) var number: UInt64 = 0
  /// The end of the last fetch.
  private var lastFetch: ContinuousClock.Instant?

  /// Whether a delta was fetched at all.
  var hasFetched: Bool { lastFetch != nil }

  /// A delta was fetched.
  mutating func fetched(at now: ContinuousClock.Instant) { lastFetch = now }

  /// Whether the next delta continues from the last one.
  ///
  /// - Parameter revocationsKept: after a longer time revocations may have been deleted unread. Then clients have to
  ///   connect again, which looks their credentials up.
  func isContinued(
    by next: Epoch, at now: ContinuousClock.Instant, revocationsKept: Duration
  ) -> Bool {
    epoch == next && lastFetch.map { now - $0 <= revocationsKept } ?? true
  }

  /// The connection was lost and is back in the same history.
  ///
  /// - Returns: the new generation's number.
  mutating func resume() -> UInt64 {
    number += 1
    return number
  }

  /// A history is followed anew.
  ///
  /// - Returns: whether there was one before, so that clients have to connect again.
  mutating func adopt(_ next: Epoch) -> Bool {
    defer { epoch = next }
    guard epoch != nil else { return false }
    number += 1
    return true
  }
}
