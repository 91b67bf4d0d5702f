import ArgumentParser
import NotifyStore

/// `notify-bridge purge`.
struct PurgeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "purge",
    abstract: "Applies the retention now: deletes old rows. A running bridge does so by itself.",
    discussion: """
      It deletes rows that were sent or never had to be: those of the table that `migrate` made, and those of a table
      that was attached with --retention-days. Unsent rows are kept.

      Example:  notify-bridge purge --retention-days 7 --dry-run
      """)

  /// Rows that one statement deletes, so that its locks are short.
  private static let batch = 10_000

  @Flag(help: "Only print the number of rows.")
  var dryRun = false

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func run() throws {
    let settings = try options.settings(needing: [\.databaseURL])
    let url = try Database.url(settings)
    let days = settings.store.retentionDays
    let connection = try Database.connect(url)
    defer { connection.close() }
    try Migrator(connection).verify()
    let attached = try connection.query("SELECT FROM notify_bridge.source WHERE retention_days IS NOT NULL")
    guard days > 0 || !attached.isEmpty else {
      FileOutput.printLine("nothing to do: with \(settings.origin(\.store.retentionDays)) 0 everything is kept")
      return
    }
    var total: Int64 = 0
    while true {
      let rows = try connection.purge(days: days, batch: Self.batch, dryRun: dryRun, timeout: .seconds(60))
      total += rows
      if dryRun || rows < Self.batch { break }
    }
    let verb = dryRun ? "would delete" : "deleted"
    let age = attached.isEmpty ? "older than \(days) \(days == 1 ? "day" : "days")" : "past their retention"
    FileOutput.printLine("\(verb) \(total) \(total == 1 ? "row" : "rows") \(age)")
    if !dryRun { try reportSkipped(connection) }
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
