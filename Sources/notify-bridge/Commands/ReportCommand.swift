import ArgumentParser
import NotifyStore

/// `notify-bridge report`.
struct ReportCommand: ParsableCommand {
  /// What is printed.
  enum OutputForm: String, CaseIterable, ExpressibleByArgument {
    case table, csv, json
  }

  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Prints a report over the served tables: what was created, sent and read.",
    discussion: """
      The reports are SQL functions, which psql, Metabase and Grafana can use as well: Documentation/reports.md.
      It needs a role with the right of notify_bridge.grant_reports_to or grant_to.

      Example:  notify-bridge report deliveries --since 7d --by type
                notify-bridge report timeline --source public.notification --id 7
      """)

  @Argument(help: ArgumentHelp("The report.", valueName: "name"))
  var report: Report

  @Option(help: ArgumentHelp("Rows created from here: a time, or how long ago. (default: 7d)", valueName: "time"))
  var since: String?

  @Option(help: ArgumentHelp("Rows created before: a time, or how long ago. (default: now)", valueName: "time"))
  var until: String?

  @Option(help: ArgumentHelp("A bucket's length: 5m, 1h, 1d, '1 week', '1 month'. (default: 1d)", valueName: "time"))
  var bucket: String?

  @Option(help: ArgumentHelp("Divides rows by user, source, or a path in the payload.", valueName: "key"))
  var by: String?

  @Option(help: ArgumentHelp("A served table; all of them without it.", valueName: "table"))
  var source: String?

  @Option(help: ArgumentHelp("Times are in it, and buckets begin in it. (default: UTC)", valueName: "zone"))
  var timeZone: String?

  @Option(help: ArgumentHelp("The age of rows that are due. (default: 30)", valueName: "days"))
  var days: Int32?

  @Option(help: ArgumentHelp("The most users. (default: 100)", valueName: "rows"))
  var limit: Int32?

  @Option(help: ArgumentHelp("The row of a timeline.", valueName: "id"))
  var id: String?

  @Option(help: "What to print: table, csv or json.")
  var format = OutputForm.table

  @Option(help: "A report that takes longer is cancelled in the server.")
  var timeout = DurationText(seconds: 30)

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  /// The values of the options that were given.
  private var given: [ReportParameter: String] {
    let values: [ReportParameter: String?] = [
      .since: since, .until: until, .bucket: bucket, .source: source, .by: by, .timeZone: timeZone,
      .days: days.map(String.init), .limit: limit.map(String.init), .id: id,
    ]
    return values.compactMapValues { $0 }
  }

  func validate() throws {
    // Every report shows times in the time zone.
    let valid = report.parameters + [.timeZone]
    if let foreign = ReportParameter.allCases.first(where: { given[$0] != nil && !valid.contains($0) }) {
      throw ValidationError("\(foreign.flag) is not valid for the report \(report.rawValue).")
    }
    if report == .timeline, id == nil { throw ValidationError("--id is missing: it names the row.") }
    guard (1...86_400).contains(timeout.seconds) else { throw ValidationError("--timeout is 1s to 1d.") }
  }

  func run() throws {
    let settings = try options.settings(needing: [\.databaseURL])
    let connection = try Database.connect(try Database.url(settings))
    defer { connection.close() }
    do throws(StoreError) {
      // One transaction is one session, also behind a pooler.
      try connection.query("BEGIN READ ONLY")
      try connection.query(
        "SELECT set_config('statement_timeout', $1, true), set_config('TimeZone', $2, true)",
        ["\(timeout.seconds)s", timeZone ?? "UTC"])
      try show(connection)
    } catch {
      throw Self.explained(error, timeout)
    }
  }

  private func show(_ connection: PGConnection) throws(StoreError) {
    let call = call()
    let columns = format == .json ? "to_json(r)" : report.columns.map { "r.\($0.name)" }.joined(separator: ", ")
    // The server cancels the report; the wait is for a server that does not answer.
    let rows = try connection.query(
      "SELECT \(columns) FROM \(call.sql) AS r", call.parameters, timeout: .seconds(timeout.seconds + 5))
    let table = ReportTable(columns: report.columns, rows: rows)
    switch format {
    case .table: table.lines(bars: Terminal.isShown).forEach(FileOutput.printLine)
    case .csv: table.csvLines().forEach(FileOutput.printLine)
    case .json:
      let objects = rows.map { TerminalText.jsonLine($0.first.flatMap { $0 } ?? "null") }
      FileOutput.printLine("[" + objects.joined(separator: ",\n ") + "]")
    }
  }

  /// The call of the function with the options that were given. A timeline's source has no default.
  private func call() -> (sql: String, parameters: [String?]) {
    var arguments: [String] = []
    var texts: [String?] = []
    for parameter in report.parameters where given[parameter] != nil || report == .timeline {
      let value = parameter.value(given[parameter], placeholder: "$\(texts.count + 1)")
      arguments.append("\(parameter.rawValue) => \(value.sql)")
      texts.append(value.text)
    }
    return ("notify_bridge.\(report.function)(\(arguments.joined(separator: ", ")))", texts)
  }

  private static func explained(_ error: StoreError, _ timeout: DurationText) -> CommandFailure {
    switch error.sqlstate {
    case "57014":
      CommandFailure(
        "the report took longer than \(timeout.defaultValueDescription) and was cancelled",
        remedy: "Give a later --since, one --source, or a longer --timeout.")
    case "42501" where error.hint.isEmpty:
      CommandFailure(
        error.description,
        remedy: "As the owner of notify_bridge: SELECT notify_bridge.grant_reports_to('the role in DATABASE_URL')")
    default: CommandFailure(error)
    }
  }
}
