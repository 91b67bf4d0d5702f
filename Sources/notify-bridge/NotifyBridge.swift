import ArgumentParser

/// The program: `notify-bridge`.
struct NotifyBridge: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "notify-bridge",
    abstract: "Carries rows from PostgreSQL to browsers: INSERT a row, and its user's sockets receive it.",
    discussion: """
      Try it, with nothing to set up:   notify-bridge dev
      Run it:                           DATABASE_URL=postgresql://… notify-bridge serve
      All settings:                     notify-bridge serve --help
      """,
    version: "notify-bridge \(Version.number)",
    subcommands: [
      ServeCommand.self, DevCommand.self, MigrateCommand.self, AttachCommand.self, DetachCommand.self,
      SendCommand.self, ListenCommand.self, TokenCommand.self, CheckCommand.self, PurgeCommand.self,
      ReportCommand.self, ReferenceCommand.self,
    ])

  /// Only reached without a subcommand.
  func run() throws {
    throw CleanExit.helpRequest(self)
  }
}
