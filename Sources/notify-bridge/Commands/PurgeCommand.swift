import ArgumentParser
import NotifyStore

/// `notify-bridge purge`.
struct PurgeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "purge",
    abstract: "Applies the retention now: deletes old rows. A running bridge does so by itself.",
    discussion: """
      It deletes rows that were sent or never had to be: those of the table that `migrate` made, and those of a table
      that was attached with --retention-days. Unsent rows are kept, or for --retention-unsent-days. It does not wait for
      the window of the service, and goes as fast as it can.

      Example:  notify-bridge purge --retention-days 7 --dry-run
      """)

  /// Rows that one statement deletes, so that its locks are short.
  private static let batch = 10_000

  @Flag(help: "Only print how many rows and bytes would go.")
  var dryRun = false

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func run() throws {
    let settings = try options.settings(needing: [\.databaseURL])
    let url = try Database.url(settings)
    let days = settings.store.retention.days
    let connection = try Database.connect(url)
    defer { connection.close() }
    try Migrator(connection).verify()
    let attached = try connection.query("SELECT FROM notify_bridge.source WHERE retention_days IS NOT NULL")
    guard days > 0 || !attached.isEmpty else {
      FileOutput.printLine("nothing to do: with \(settings.origin(\.store.retention.days)) 0 everything is kept")
      return
    }
    let unsentDays = settings.store.retention.unsentDays
    let due = dryRun || ProgressBar.isShown ? try preview(connection, days: days, unsentDays: unsentDays) : []
    var total = due.reduce(0) { $0 + $1.rows }
    if dryRun {
      for table in due where table.rows > 0 || table.failure != nil { FileOutput.printLine(table.line) }
    } else {
      var bar = ProgressBar(of: total, "rows")
      total = 0
      while true {
        let rows = try connection.purge(
          days: days, unsentDays: unsentDays, batch: Self.batch, dryRun: false, timeout: .seconds(60))
        total += rows
        if rows < Self.batch { break }
        bar.show(total)
      }
      bar.clear()
    }
    let verb = dryRun ? "would delete" : "deleted"
    let age = attached.isEmpty ? "older than \(days) \(days == 1 ? "day" : "days")" : "past their retention"
    FileOutput.printLine("\(verb) \(total) \(total == 1 ? "row" : "rows") \(age)")
    if !dryRun { try reportSkipped(connection) }
  }

  /// What would go from one table.
  private struct DueRows {
    let table: String
    let rows: Int64
    let bytes: Int64
    let oldest: String
    /// The SQLSTATE where it can't be read.
    let failure: String?

    var line: String {
      if let failure { return "\(table): can't be read (SQLSTATE \(failure))" }
      return "\(table): \(rows) \(rows == 1 ? "row" : "rows"), about \(ByteText.text(bytes)), the oldest of \(oldest)"
    }
  }

  private func preview(_ connection: PGConnection, days: Int, unsentDays: Int) throws -> [DueRows] {
    try connection.query(
      "SELECT source, rows, bytes, oldest::date, failure FROM notify_bridge.purge_preview($1::integer, $2::integer)",
      [String(days), String(unsentDays)], timeout: .seconds(600)
    ).map { row in
      DueRows(
        table: row[0] ?? "", rows: row[1].flatMap { Int64($0) } ?? 0, bytes: row[2].flatMap { Int64($0) } ?? 0,
        oldest: row[3] ?? "", failure: row[4])
    }
  }

  /// Names what is set aside because it can't be deleted.
  private func reportSkipped(_ connection: PGConnection) throws {
    let tables = try connection.query(
      """
      SELECT q.source, count(q.row_id), bool_or(q.row_id IS NULL), string_agg(DISTINCT q.sqlstate, ', ' ORDER BY q.sqlstate)
      FROM notify_bridge.quarantine AS q WHERE q.stage = 'purge' GROUP BY q.source ORDER BY q.source
      """)
    for table in tables {
      let rows = table[2] == "t" ? "all rows" : table[1] == "1" ? "1 row" : "\(table[1] ?? "") rows"
      FileOutput.printLine(
        "skipped \(rows) of \(table[0] ?? "") that can't be deleted (SQLSTATE \(table[3] ?? "")): "
          + "SELECT * FROM notify_bridge.quarantine WHERE stage = 'purge'")
    }
  }
}
