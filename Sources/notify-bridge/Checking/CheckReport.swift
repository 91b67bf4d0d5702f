/// The findings of `check`, a line each.
struct CheckReport: Sendable, Equatable {
  /// The weight of a finding.
  enum Severity: String, Sendable {
    case ok
    /// Works, but needs attention.
    case warn
    /// Prevents serving.
    case fail
  }

  /// The result of one check.
  struct Finding: Sendable, Equatable {
    let severity: Severity
    let subject: String
    let detail: String
    /// The fix; empty where none is needed.
    let remedy: String

    /// One aligned line.
    var line: String {
      let columns = pad(severity.rawValue, 4) + "  " + pad(subject, 12) + "  " + TerminalText.escaped(detail)
      return remedy.isEmpty ? columns : columns + ". " + TerminalText.escaped(remedy)
    }

    private func pad(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(0, width - text.count))
    }
  }

  private(set) var findings: [Finding] = []

  /// Whether something prevents serving.
  var hasFailed: Bool { findings.contains { $0.severity == .fail } }

  /// Adds a check that passed.
  mutating func ok(_ subject: String, _ detail: String) { add(.ok, subject, detail, "") }

  /// Adds a finding that needs attention.
  mutating func warn(_ subject: String, _ detail: String, _ remedy: String) { add(.warn, subject, detail, remedy) }

  /// Adds a finding that prevents serving.
  mutating func fail(_ subject: String, _ detail: String, _ remedy: String) { add(.fail, subject, detail, remedy) }

  private mutating func add(_ severity: Severity, _ subject: String, _ detail: String, _ remedy: String) {
    findings.append(Finding(severity: severity, subject: subject, detail: detail, remedy: remedy))
  }
}
