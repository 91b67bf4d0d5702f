import ArgumentParser
import Foundation
import NotifyCore
import NotifyStore

/// `notify-bridge migrate`.
struct MigrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Creates or updates the schema that the bridge needs, and prints the steps.",
    discussion: """
      It runs as the owner of the database. All steps are one transaction: schema files are applied once, functions
      whenever they differ. Any number may start at once.
      It creates the table public.notification unless a table of that name exists, or --no-table is given.
      The flag is not remembered: a later migrate without it creates the table.

      Example:  DATABASE_URL=postgresql://owner@localhost/app notify-bridge migrate --wait 60s
      """)

  @Flag(help: "Only print the steps that would be applied.")
  var dryRun = false

  @Flag(help: "Only print each step and when it was applied.")
  var status = false

  @Flag(help: "Don't create public.notification: serve attached tables only.")
  var noTable = false

  @Option(help: "Wait at most this long for a database that is starting (60s).")
  var wait: DurationText?

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    if dryRun && status { throw ValidationError("--dry-run and --status exclude each other.") }
  }

  func run() throws {
    let settings = try options.settings(needing: [\.databaseURL])
    let connection = try connect(Database.url(settings))
    defer { connection.close() }
    let migrator = Migrator(connection)
    if status {
      for entry in try migrator.status(ownTable: !noTable) { FileOutput.printLine("\(entry)") }
      return
    }
    let steps = try apply(migrator, connection)
    for step in steps { FileOutput.printLine("\(dryRun ? "would apply" : "applied") \(step)") }
    if steps.isEmpty { FileOutput.printLine("nothing to do: \(Self.applied)") }
    guard !dryRun, !noTable else { return }
    if steps.contains(.ownTable) { try printMissingRights(connection) }
    try warnAboutForeignTable(connection)
  }

  private func apply(_ migrator: Migrator, _ connection: PGConnection) throws -> [MigrationStep] {
    do {
      return try migrator.apply(dryRun: dryRun, ownTable: !noTable)
    } catch {
      guard error.sqlstate == "42501", error.hint.isEmpty else { throw error }
      throw CommandFailure(error.description, remedy: MissingRights.toMigrate(connection, ownTable: !noTable))
    }
  }

  /// `schema 1 and functions 1 are applied`.
  private static var applied: String {
    "schema \(Migration.all.count) and functions \(FunctionSet.current.version) are applied"
  }

  /// Prints the grants that roles of earlier bridges need for the new table.
  private func printMissingRights(_ connection: PGConnection) throws {
    let rows = try connection.query(
      """
      SELECT n.what FROM notify_bridge.source AS s, notify_bridge.attach_notes(s) AS n WHERE s.is_own AND n.step = 'todo'
      """)
    for row in rows { FileOutput.printLine(TerminalText.escaped(row[0] ?? "")) }
  }

  /// Warns where another table has the name of the own one.
  private func warnAboutForeignTable(_ connection: PGConnection) throws {
    let foreign = try connection.query(
      """
      SELECT WHERE pg_catalog.to_regclass('public.notification') IS NOT NULL
        AND NOT EXISTS (
          SELECT FROM notify_bridge.source
          WHERE is_own OR relation::oid = pg_catalog.to_regclass('public.notification')::oid)
      """)
    guard !foreign.isEmpty else { return }
    FileOutput.printError(
      """
      warning: public.notification exists and was not made by notify-bridge: it is left as it is, and is not served
      To serve it: notify-bridge attach public.notification
      """)
  }

  private func connect(_ url: Secret) throws -> PGConnection {
    guard let wait else { return try Database.connect(url) }
    let deadline = ContinuousClock.now + .seconds(wait.seconds)
    var printed = ""
    while true {
      do {
        return try Database.connect(url)
      } catch {
        guard error.isRetriable, ContinuousClock.now < deadline else { throw error }
        if printed != error.description {
          printed = error.description
          FileOutput.printError("waiting for the database: \(printed)")
        }
      }
      Thread.sleep(forTimeInterval: 0.3)
    }
  }
}
