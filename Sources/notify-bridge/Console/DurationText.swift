import ArgumentParser

/// A time as people write it: `90`, `60s`, `5m`, `1h`, `7d`.
struct DurationText: ExpressibleByArgument, Equatable, Sendable {
  let seconds: Int
  private let text: String

  init(seconds: Int) {
    self.seconds = seconds
    self.text = "\(seconds)s"
  }

  init?(argument: String) {
    let units: [Character: Int] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
    var digits = Substring(argument)
    var factor = 1
    if let unit = digits.last.flatMap({ units[$0] }) {
      factor = unit
      digits.removeLast()
    }
    guard !digits.isEmpty, digits.allSatisfy(\.isASCII), digits.allSatisfy(\.isNumber), let number = Int(digits) else {
      return nil
    }
    let (seconds, overflow) = number.multipliedReportingOverflow(by: factor)
    // A hundred years: more is a mistake, and would not fit everywhere.
    guard !overflow, seconds <= 3_153_600_000 else { return nil }
    self.seconds = seconds
    self.text = argument
  }

  var defaultValueDescription: String { text }
}
