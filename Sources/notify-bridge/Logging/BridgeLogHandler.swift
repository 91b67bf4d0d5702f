import Foundation
import Logging
import NotifyCore
import Synchronization

/// The log's form, level and writer; all loggers of the process share one.
final class LogOutput: Sendable {
  private let format: LogFormat
  private let colors: Bool
  private let writer: LogWriter
  private let currentLevel: Mutex<Logger.Level>

  init(format: LogFormat, colors: Bool, level: Logger.Level, writer: LogWriter) {
    self.format = format
    self.colors = colors
    self.writer = writer
    self.currentLevel = Mutex(level)
  }

  /// The least important level that is written; a change applies at once to every logger.
  var level: Logger.Level {
    get { currentLevel.withLock { $0 } }
    set { currentLevel.withLock { $0 = newValue } }
  }

  /// Writes one line.
  func write(_ line: LogLine) { writer.write(text(line)) }

  /// A line in the log's form, for another stream.
  func text(_ line: LogLine) -> String { format.line(line, colors: colors) }

  /// Waits until all is written, at most a moment.
  func flush() { writer.flush(seconds: 0.5) }

  /// The output of the settings; without a format text on a terminal, else JSON.
  static func standardError(_ settings: Settings) -> LogOutput {
    let isTerminal = isatty(STDERR_FILENO) != 0
    let format = settings.log.format ?? (isTerminal ? .text : .json)
    let noColor = ProcessInfo.processInfo.environment["NO_COLOR"] ?? ""
    return LogOutput(
      format: format, colors: isTerminal && noColor.isEmpty, level: settings.log.level,
      writer: LogWriter(descriptor: STDERR_FILENO))
  }
}

/// Passes the lines of swift-log to the output.
struct BridgeLogHandler: LogHandler {
  private let label: String
  private let output: LogOutput
  private var ownLevel: Logger.Level?
  var metadata: Logger.Metadata = [:]
  var metadataProvider: Logger.MetadataProvider?

  init(label: String, output: LogOutput) {
    self.label = label
    self.output = output
  }

  var logLevel: Logger.Level {
    get { ownLevel ?? output.level }
    set { ownLevel = newValue }
  }

  subscript(metadataKey key: String) -> Logger.Metadata.Value? {
    get { metadata[key] }
    set { metadata[key] = newValue }
  }

  func log(event: LogEvent) {
    var fields = metadata
    if let provided = metadataProvider?.get() { fields.merge(provided) { _, new in new } }
    if let own = event.metadata { fields.merge(own) { _, new in new } }
    if let error = event.error { fields["error"] = .string("\(error)") }
    output.write(
      LogLine(
        time: Date(), level: event.level, label: label, message: event.message.description,
        fields: Self.ordered(fields)))
  }

  /// User and address first, the rest in alphabetical order.
  private static func ordered(_ fields: Logger.Metadata) -> [(key: String, value: Logger.MetadataValue)] {
    let first = [LogKey.user, LogKey.remote, LogKey.code, LogKey.reason]
    return fields.map { (key: $0.key, value: $0.value) }.sorted { left, right in
      let a = first.firstIndex(of: left.key) ?? first.count, b = first.firstIndex(of: right.key) ?? first.count
      return a == b ? left.key < right.key : a < b
    }
  }
}
