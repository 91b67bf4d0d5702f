import Foundation

/// How far long work has come, in one line of a terminal that is drawn again and again. Nothing where standard error is none.
struct ProgressBar {
  private static let width = 24
  /// The time between two drawings.
  private static let interval: Duration = .milliseconds(100)

  /// Whether standard error is a terminal.
  static var isShown: Bool { isatty(STDERR_FILENO) != 0 }

  private let unit: String
  private let total: Int64
  private let isShown: Bool
  private var last: ContinuousClock.Instant?

  /// - Parameters:
  ///   - total: of the work; more than that may be done.
  ///   - unit: the plural of what is counted.
  init(of total: Int64, _ unit: String, isShown: Bool = ProgressBar.isShown) {
    self.total = total
    self.unit = unit
    self.isShown = isShown && total > 0
  }

  /// Draws the line anew, unless it was drawn just now.
  mutating func show(_ done: Int64) {
    guard isShown, last.map({ .now - $0 >= Self.interval }) ?? true else { return }
    last = .now
    FileOutput.write(Array(("\r" + line(done)).utf8), to: STDERR_FILENO)
  }

  /// Removes the line.
  func clear() {
    guard isShown, last != nil else { return }
    FileOutput.write(Array("\r\u{1b}[K".utf8), to: STDERR_FILENO)
  }

  /// The line for so much done.
  func line(_ done: Int64) -> String {
    let share = min(Double(done) / Double(total), 1)
    let full = Int(share * Double(Self.width))
    let bar = String(repeating: "█", count: full) + String(repeating: "░", count: Self.width - full)
    return "\(bar) \(Int(share * 100))%  \(done) of \(max(total, done)) \(unit)\u{1b}[K"
  }
}
