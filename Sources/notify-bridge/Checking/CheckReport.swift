/// What `check` found, line by line.
struct CheckReport: Sendable, Equatable {
  /// How bad a finding is.
  enum Severity: String, Sendable {
    case ok
    /// Works, and should be looked at.
    case warn
    /// Prevents serving.
    case fail
  }

  /// One thing that was looked at.
  struct Finding: Sendable, Equatable {
    let severity: Severity
    let subject: String
    let detail: String
    /// What to do; empty where nothing is to be done.
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

  /// Adds what is as it should be.
  mutating func ok(_ subject: String, _ detail: String) { add(.ok, subject, detail, "") }

  /// Adds what works, and should be looked at.
  mutating func warn(_ subject: String, _ detail: String, _ remedy: String) { add(.warn, subject, detail, remedy) }

  /// Adds what prevents serving.
  mutating func fail(_ subject: String, _ detail: String, _ remedy: String) { add(.fail, subject, detail, remedy) }

  private mutating func add(_ severity: Severity, _ subject: String, _ detail: String, _ remedy: String) {
    findings.append(Finding(severity: severity, subject: subject, detail: detail, remedy: remedy))
  }
}
