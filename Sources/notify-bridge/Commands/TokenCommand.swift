import ArgumentParser
import Foundation
import NotifyAuth
import NotifyCore

/// `notify-bridge token`.
struct TokenCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "token",
    abstract: "Prints a JWT for trying things, and nothing else.",
    discussion: """
      It is signed with the bridge's own JWT secret. Whoever has it is that user until it expires.

      Example:  NOTIFY_BRIDGE_AUTH_JWT_SECRET=… notify-bridge token --user 42 --ttl 1h
      """)

  @ArgumentParser.Option(help: ArgumentHelp("Whose token it is.", valueName: "id"))
  var user: String

  @ArgumentParser.Option(help: "How long it is valid: 90s, 5m, 1h, 7d.")
  var ttl = DurationText(seconds: 3_600)

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    guard UserID(user) != nil else {
      throw ValidationError("--user is a text of 1 to \(Limits.userIDBytes) bytes.")
    }
  }

  func run() throws {
    let settings = try options.settings(needing: [.authJWTSecret])
    FileOutput.printLine(try Self.token(user, seconds: ttl.seconds, settings).exposed)
  }

  /// Makes a token that a bridge with the same settings accepts.
  static func token(_ user: String, seconds: Int, _ settings: Settings) throws -> Secret {
    guard let user = UserID(user) else { throw Failure("that is no user id", status: .usage) }
    let issuer = try TokenIssuer(settings.jwt(withKeyFiles: false))
    return issuer.token(for: user, seconds: seconds, now: Date().timeIntervalSince1970)
  }
}
