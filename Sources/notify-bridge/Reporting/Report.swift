import ArgumentParser

/// A report: a function of schema `notify_bridge`, see `reports.md`.
enum Report: String, CaseIterable, ExpressibleByArgument {
  case deliveries, latency, backlog, users, connections, retention, timeline

  /// The function's name.
  var function: String { self == .timeline ? "timeline" : "report_\(rawValue)" }

  var parameters: [ReportParameter] {
    switch self {
    case .deliveries: [.since, .until, .bucket, .source, .by, .timeZone]
    case .latency: [.since, .until, .bucket, .source, .timeZone]
    case .backlog: [.source]
    case .users: [.since, .until, .source, .limit]
    case .connections: [.since, .until, .bucket, .timeZone]
    case .retention: [.days, .source]
    case .timeline: [.source, .id]
    }
  }

  var columns: [ReportColumn] {
    switch self {
    case .deliveries:
      [.text("bucket"), .text("key")] + ["created", "sent", "read", "archived", "unsent"].map(ReportColumn.count)
    case .latency:
      [.text("bucket"), .count("rows")]
        + ["sent_p50", "sent_p95", "sent_p99", "read_p50", "read_p95", "read_p99"].map(ReportColumn.seconds)
    case .backlog: [.text("age_bucket"), .count("rows"), .count("users"), .text("oldest")]
    case .users:
      [.text("recipient")] + ["created", "sent", "read", "unsent"].map(ReportColumn.count)
        + ["last_sent", "last_read", "online"].map(ReportColumn.text)
    case .connections:
      [.text("bucket"), .count("opened"), .text("closed"), .count("peak"), .seconds("median_seconds")]
    case .retention: [.text("day"), .count("rows"), .count("bytes"), .count("due")]
    case .timeline: ["at", "event", "detail"].map(ReportColumn.text)
    }
  }
}

/// A column of a report.
struct ReportColumn: Equatable {
  let name: String
  let isNumber: Bool
  /// Digits after the point in a table; nil: as the server gives it.
  let decimals: Int?

  static func text(_ name: String) -> ReportColumn { ReportColumn(name: name, isNumber: false, decimals: nil) }
  static func count(_ name: String) -> ReportColumn { ReportColumn(name: name, isNumber: true, decimals: nil) }
  static func seconds(_ name: String) -> ReportColumn { ReportColumn(name: name, isNumber: true, decimals: 4) }
}

/// A parameter of reports, and its option.
enum ReportParameter: String, CaseIterable {
  case since, until, bucket, source, by, timeZone = "time_zone", days, limit = "row_limit", id

  /// The name of the option.
  var flag: String {
    switch self {
    case .timeZone: "--time-zone"
    case .limit: "--limit"
    default: "--\(rawValue)"
    }
  }

  /// The parameter's value in SQL, and the text to send for the placeholder.
  func value(_ text: String?, placeholder: String) -> (sql: String, text: String?) {
    switch self {
    case .since, .until:
      if let ago = text.flatMap({ DurationText(argument: $0) }) {
        return ("now() - \(placeholder)::interval", "\(ago.seconds) seconds")
      }
      return ("\(placeholder)::timestamptz", text)
    case .bucket: return ("\(placeholder)::interval", text)
    case .days, .limit: return ("\(placeholder)::int4", text)
    case .source, .by, .timeZone, .id: return ("\(placeholder)::text", text)
    }
  }
}
