import ArgumentParser
import Foundation
import NotifyCore
import NotifyStore

/// `notify-bridge migrate`.
struct MigrateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "migrate",
    abstract: "Makes or updates what the bridge needs in the database, and says what it did.",
    discussion: """
      It runs as the owner of the database, each migration once, and any number may start at once.
      Without a table public.notification it makes one; a table of that name that isn't ours is left alone.

      Example:  DATABASE_URL=postgresql://owner@localhost/app notify-bridge migrate --wait 60s
      """)

  @Flag(help: "Only say what would be applied.")
  var dryRun = false

  @Flag(help: "Only say what was applied, and when.")
  var status = false

  @Option(help: "Wait so long for a database that starts (60s).")
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
      for entry in try migrator.status() {
        FileOutput.printLine("\(entry.migration.title)  \(entry.appliedAt.map { "applied \($0)" } ?? "missing")")
      }
      return
    }
    let migrations = try migrator.apply(dryRun: dryRun)
    for migration in migrations {
      FileOutput.printLine("\(dryRun ? "would apply" : "applied") \(migration.title)")
    }
    if migrations.isEmpty { FileOutput.printLine("nothing to do: all \(Migration.all.count) migrations were applied") }
    if !dryRun { try warnAboutForeignTable(connection) }
  }

  /// Says that a table of our name was there before us.
  private func warnAboutForeignTable(_ connection: PGConnection) throws {
    let own = try connection.query("SELECT FROM notify_bridge.source WHERE is_own")
    guard own.isEmpty else { return }
    FileOutput.printError(
      """
      warning: public.notification exists and was not made by notify-bridge: it is left as it is, and is not served
      To serve it: notify-bridge attach public.notification
      """)
  }

  private func connect(_ url: Secret) throws -> PGConnection {
    guard let wait else { return try Database.connect(url) }
    let deadline = ContinuousClock.now + .seconds(wait.seconds)
    var told = ""
    while true {
      do {
        return try Database.connect(url)
      } catch {
        guard error.isRetriable, ContinuousClock.now < deadline else { throw error }
        if told != error.description {
          told = error.description
          FileOutput.printError("waiting for the database: \(told)")
        }
      }
      Thread.sleep(forTimeInterval: 0.3)
    }
  }
}
