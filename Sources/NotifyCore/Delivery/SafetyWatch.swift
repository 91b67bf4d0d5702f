/// Notices rows for which no doorbell rang, which must never happen.
///
/// A fetch without a doorbell may find a row just before the row's doorbell comes. A doorbell was lost only where none
/// follows within a second. A value; instants are arguments.
package struct SafetyWatch: Sendable, Equatable {
  private var suspicion: ContinuousClock.Instant?

  package init() {}

  /// A doorbell rang: the rows found just before it were only faster.
  package mutating func rang() { suspicion = nil }

  /// A fetch has ended.
  ///
  /// - Parameter isSafety: whether it was made without a doorbell, while every row rings.
  /// - Returns: whether an earlier one found rows for which no doorbell came within a second.
  package mutating func fetched(rows: Int, isSafety: Bool, at now: ContinuousClock.Instant) -> Bool {
    var isLost = false
    if let since = suspicion, now - since > .seconds(1) {
      suspicion = nil
      isLost = true
    }
    if isSafety, rows > 0 { suspicion = suspicion ?? now }
    return isLost
  }
}
