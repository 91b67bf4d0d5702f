internal import NotifyCore

/// How many rows of a table the next statement takes. A value.
///
/// It is halved after a failure and doubled after a success, so that one row that fails is found among thousands by some
/// twenty statements.
struct BatchSize: Sendable, Equatable {
  private(set) var rows = Limits.markRows
  /// Single rows that failed, one after the other.
  private(set) var failures = 0

  /// Whether nothing has failed lately.
  var isFull: Bool { rows == Limits.markRows && failures == 0 }

  mutating func succeeded() {
    rows = min(rows * 2, Limits.markRows)
    failures = 0
  }

  /// A statement for so many rows failed.
  ///
  /// - Returns: whether it was a single row, which is the one that fails.
  mutating func failed(_ count: Int) -> Bool {
    rows = max(count / 2, 1)
    if count > 1 { return false }
    failures += 1
    return true
  }
}
