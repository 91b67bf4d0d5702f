/// What the retention deletes, when, and how fast.
package struct RetentionSettings: Sendable, Equatable {
  /// Days after which sent rows are deleted from our own table; 0 keeps everything.
  package var days: Int
  /// Days after which unsent rows are deleted, too; 0 keeps them.
  package var unsentDays = 0
  /// When rows are deleted, by the clock of the database server; nil for always.
  package var window: RetentionWindow?
  /// Rows that are deleted in a second at most; 0 for no limit.
  package var rowsPerSecond = 0

  package init(days: Int) { self.days = days }
}

/// A time of the day that comes back every day, such as `02:00-05:00`. It may go over midnight.
package struct RetentionWindow: Sendable, Equatable, CustomStringConvertible {
  /// Minutes since midnight: the first one in the window, and the first one after it.
  private let begin: Int
  private let end: Int

  /// Nil where the text is no window; one without length is none.
  package init?(_ text: String) {
    let ends = text.utf8.split(separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
    guard ends.count == 2, let begin = Self.minutes(ends[0]), let end = Self.minutes(ends[1]), begin != end else {
      return nil
    }
    (self.begin, self.end) = (begin, end)
  }

  /// Whether a time lies in the window.
  ///
  /// - Parameter minute: minutes since midnight.
  package func contains(minute: Int) -> Bool {
    begin < end ? begin <= minute && minute < end : begin <= minute || minute < end
  }

  package var description: String { "\(Self.text(begin))-\(Self.text(end))" }

  /// Minutes since midnight of `HH:MM`; 24:00 is midnight.
  static func minutes(_ text: Substring.UTF8View) -> Int? {
    let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard parts.count == 2, parts.allSatisfy({ $0.count == 2 && $0.allSatisfy { (48...57).contains($0) } }) else {
      return nil
    }
    let numbers = parts.map { $0.reduce(0) { $0 * 10 + Int($1) - 48 } }
    let minutes = numbers[0] * 60 + numbers[1]
    return numbers[1] < 60 && minutes <= 24 * 60 ? minutes % (24 * 60) : nil
  }

  private static func text(_ minutes: Int) -> String {
    [minutes / 60, minutes % 60].map { $0 < 10 ? "0\($0)" : "\($0)" }.joined(separator: ":")
  }
}
