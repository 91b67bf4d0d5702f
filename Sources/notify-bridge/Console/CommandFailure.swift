import Foundation

/// The failure of a command: problem, fix and exit status.
struct CommandFailure: Error, Equatable {
  /// The exit status, by which operators and scripts distinguish failures.
  enum Status: Int32, Sendable {
    case done = 0
    case failed = 1
    case usage = 64
    case configuration = 78

    /// Ends the process.
    func exit() -> Never { Foundation.exit(rawValue) }
  }

  /// A failure whose lines are printed already.
  static let reported = CommandFailure("")

  /// The most lines that are printed.
  static let maximumLines = 8

  let status: Status
  /// The problem; no secret.
  let message: String
  /// The fix; may be empty.
  let remedy: String

  init(_ message: String, remedy: String = "", status: Status = .failed) {
    self.status = status
    self.message = message
    self.remedy = remedy
  }

  /// At most 8 lines, `error:` in front.
  var text: String {
    let lines = ("error: " + message).split(separator: "\n") + remedy.split(separator: "\n")
    return lines.prefix(Self.maximumLines).joined(separator: "\n")
  }

  /// Prints it: an error on standard error, a requested text on standard output.
  ///
  /// - Returns: the exit status.
  func report() -> Int32 {
    if status == .done {
      if !message.isEmpty { FileOutput.printLine(message) }
    } else if !message.isEmpty {
      FileOutput.printError(text)
    }
    return status.rawValue
  }
}
