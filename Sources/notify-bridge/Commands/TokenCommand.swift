import ArgumentParser
import NotifyAuth
import NotifyCore

/// `notify-bridge token`.
struct TokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token",
    abstract: "Prints a JWT for testing, and nothing else.",
    discussion: """
      It is signed with the bridge's JWT secret. It grants access as that user until it expires.

      Example:  NOTIFY_BRIDGE_AUTH_JWT_SECRET=… notify-bridge token --user 42 --ttl 1h
      """)

  @Option(help: ArgumentHelp("The user of the token.", valueName: "id"))
  var user: String

  @Option(help: "Its lifetime: 90s, 5m, 1h, 7d.")
  var ttl = DurationText(seconds: 3_600)

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    guard UserID(user) != nil else {
      throw ValidationError("--user is a text of 1 to \(Limits.userIDBytes) bytes.")
    }
  }

  func run() throws {
    let settings = try options.settings(needing: [\.jwt.secret])
    FileOutput.printLine(try Token.make(user, seconds: ttl.seconds, settings).exposed)
  }
}
