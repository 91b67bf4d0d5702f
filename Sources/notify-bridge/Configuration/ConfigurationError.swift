/// Settings that can't be used, all at once; found before any network access (exit status 78).
struct ConfigurationError: Error, Equatable, CustomStringConvertible {
  /// Each with its place, the problem and the allowed values; no secret.
  let problems: [String]

  init(_ problems: [String]) { self.problems = problems }

  init(_ problem: String) { self.problems = [problem] }

  private static func firstLine(_ problem: String) -> Substring { problem.prefix { !$0.isNewline } }

  /// At most 7 lines; of several problems the first line of each.
  var description: String {
    if problems.count <= 1 { return problems.first ?? "the configuration can't be used" }
    let shown = problems.count <= 5 ? problems : Array(problems.prefix(4)) + ["and \(problems.count - 4) more"]
    let title = "\(problems.count) settings can't be used"
    return
      ([title] + shown.map { "  \(Self.firstLine($0))" } + ["Every setting is explained by: notify-bridge serve --help"])
      .joined(separator: "\n")
  }
}
