import Foundation
import Logging
import NotifyCore

/// One line of the log, before it is formatted.
struct LogLine: Sendable {
  let time: Date
  let level: Logger.Level
  let label: String
  let message: String
  /// In the order of writing.
  let fields: [(key: String, value: Logger.MetadataValue)]
}

/// The form of the log's lines.
enum LogFormat: String, CaseIterable, Sendable {
  /// Aligned columns for people.
  case text
  /// One JSON object a line, for programs.
  case json

  /// The line, with its newline.
  ///
  /// - Parameter colors: whether a terminal will show it.
  func line(_ line: LogLine, colors: Bool) -> String {
    switch self {
    case .text: Self.text(line, colors: colors)
    case .json: Self.json(line)
    }
  }

  private static func text(_ line: LogLine, colors: Bool) -> String {
    let clock = line.time.formatted(
      .verbatim(
        "\(hour: .twoDigits(clock: .twentyFourHour, hourCycle: .zeroBased)):\(minute: .twoDigits):\(second: .twoDigits).\(secondFraction: .fractional(3))",
        timeZone: .current, calendar: Calendar(identifier: .gregorian)))
    let level = line.level.rawValue.padding(toLength: 8, withPad: " ", startingAt: 0)
    var text = colors ? "\u{1b}[2m\(clock)\u{1b}[0m \(color(line.level))\(level)\u{1b}[0m " : "\(clock) \(level) "
    text += TerminalText.escaped(line.message)
    for (key, value) in line.fields {
      let shown = quoted(plain(value))
      text += colors ? "  \u{1b}[2m\(key)=\u{1b}[0m\(shown)" : "  \(key)=\(shown)"
    }
    return text + "\n"
  }

  private static func json(_ line: LogLine) -> String {
    var text = #"{"time":"\#(Timestamp.text(microseconds: Int64(line.time.timeIntervalSince1970 * 1_000_000)))""#
    text += #","level":"\#(line.level.rawValue)","message":\#(JSONText.string(line.message))"#
    text += #","logger":\#(JSONText.string(line.label))"#
    for (key, value) in line.fields {
      // A field must not take the place of one of the line's own.
      let name = ["time", "level", "message", "logger"].contains(key) ? key + "_" : key
      text += ",\(JSONText.string(name)):\(json(value))"
    }
    return text + "}\n"
  }

  private static func json(_ value: Logger.MetadataValue) -> String {
    switch value {
    case .string(let text): return JSONText.string(text)
    case .stringConvertible(let value):
      switch value {
      case let number as Int: return String(number)
      case let number as UInt64: return String(number)
      case let flag as Bool: return String(flag)
      case let number as Double where number.isFinite: return String(number)
      default: return JSONText.string(value.description)
      }
    case .array(let values): return "[" + values.map(json).joined(separator: ",") + "]"
    case .dictionary(let fields):
      let parts = fields.sorted { $0.key < $1.key }.map { "\(JSONText.string($0.key)):\(json($0.value))" }
      return "{" + parts.joined(separator: ",") + "}"
    }
  }

  private static func plain(_ value: Logger.MetadataValue) -> String {
    switch value {
    case .string(let text): text
    case .stringConvertible(let value): value.description
    case .array, .dictionary: json(value)
    }
  }

  private static func quoted(_ text: String) -> String {
    let isPlain = !text.isEmpty && !text.contains { $0.isWhitespace || $0 == "\"" || $0 == "=" }
    return isPlain ? TerminalText.escaped(text) : "\"\(TerminalText.escaped(text).replacing("\"", with: "\\\""))\""
  }

  private static func color(_ level: Logger.Level) -> String {
    switch level {
    case .trace, .debug: "\u{1b}[2m"
    case .info: "\u{1b}[32m"
    case .notice: "\u{1b}[36m"
    case .warning: "\u{1b}[33m"
    case .error, .critical: "\u{1b}[31m"
    }
  }
}
