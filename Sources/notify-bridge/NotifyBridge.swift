import ArgumentParser

/// The program: `notify-bridge`.
struct NotifyBridge: ParsableCommand {
  /// The program's version.
  static let version = "0.1.0"
  /// How its connections name themselves to PostgreSQL.
  static let applicationName = "notify-bridge"

  static let configuration = CommandConfiguration(
    commandName: "notify-bridge",
    abstract: "Carries rows from PostgreSQL to browsers: INSERT a row, and its user's sockets have it.",
    discussion: """
      Try it, with nothing to set up:   notify-bridge dev
      Run it:                           DATABASE_URL=postgresql://… notify-bridge serve
      What something is about:          notify-bridge serve --help
      """,
    version: "notify-bridge \(version)",
    subcommands: [
      ServeCommand.self, DevCommand.self, MigrateCommand.self, AttachCommand.self, DetachCommand.self,
      SendCommand.self, ListenCommand.self, TokenCommand.self, CheckCommand.self, PurgeCommand.self,
    ])

  /// Only reached without a subcommand.
  func run() throws {
    throw CleanExit.helpRequest(self)
  }
}
