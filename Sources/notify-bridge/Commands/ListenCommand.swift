import ArgumentParser
import Foundation
import NotifyAuth
import NotifyCore

/// `notify-bridge listen`.
struct ListenCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "listen",
    abstract: "A client in the terminal: prints every message as one line of JSON.",
    discussion: """
      When the connection ends it reconnects and resumes after the newest cursor, as a browser does, and reports that
      on standard error. --user makes a token with the bridge's JWT secret; --token takes an existing one.

      Example:  notify-bridge listen --user 42
      """)

  @Option(help: ArgumentHelp("The user; needs the JWT secret.", valueName: "id"))
  var user: String?

  @Option(help: "A token to log in with.")
  var token: String?

  @Option(help: "The address of the bridge. Without it, the one in the settings.")
  var url: String?

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    guard (user == nil) != (token == nil) else { throw ValidationError("give one of --user and --token.") }
    if let user, UserID(user) == nil {
      throw ValidationError("--user is a text of 1 to \(Limits.userIDBytes) bytes.")
    }
  }

  func run() async throws {
    let settings = try options.sourceOfBridge.settings(needing: user == nil ? [] : [\.jwt.secret])
    let address = try BridgeAddress.given(url, settings)
    let client = WebSocketClient(address)
    let signals = Signals()
    signals.whenStopped { _ in
      client.close()
      // Time for the close frame to leave.
      Thread.sleep(forTimeInterval: 0.1)
      CommandFailure.Status.done.exit()
    }
    var credential = try credential(settings)
    var plan = ReconnectPlan(canRenew: user != nil)
    var cursor: String?
    while true {
      let ending = await client.run(token: credential, since: cursor) { message in
        plan.connected()
        if let newest = Self.cursor(in: message) { cursor = newest }
        FileOutput.printLine(TerminalText.jsonLine(message))
      }
      // The thread of the signal ends the process.
      if signals.isStopping { return }
      switch plan.ended(ending, chance: .random(in: 0...1)) {
      case .giveUp(let reason):
        throw CommandFailure(reason, remedy: Self.remedy(ending, address))
      case .renew:
        FileOutput.printError("the token expired: reconnecting with a new one")
        credential = try self.credential(settings)
      case .retry(let seconds):
        FileOutput.printError("\(Self.text(ending)): reconnecting in \(String(format: "%.1f", seconds)) s")
        try await Task.sleep(for: .seconds(seconds))
      }
    }
  }

  private func credential(_ settings: Settings) throws -> Secret {
    if let token { return Secret(token) }
    return try Token.make(user ?? "", seconds: 3_600, settings)
  }

  private static func cursor(in message: String) -> String? {
    let object = try? JSONSerialization.jsonObject(with: Data(message.utf8)) as? [String: Any]
    return object?["cursor"] as? String
  }

  private static func text(_ ending: WebSocketClient.Disconnect) -> String {
    switch ending {
    case .closed(let code, let reason): reason.isEmpty ? "closed with \(code)" : "closed with \(code) (\(reason))"
    case .refused(let status): "refused with HTTP status \(status)"
    case .unreachable(let reason): reason
    }
  }

  private static func remedy(_ ending: WebSocketClient.Disconnect, _ address: BridgeAddress) -> String {
    switch ending {
    case .closed(4001, _): "Get a new token. The bridge checks its signature, user and expiry."
    case .closed: "Close another connection of this user first."
    case .refused(404), .refused(426): "Is \(address.webSocket) the WebSocket's address?"
    case .refused: "Is the bridge ready? notify-bridge check --ready --url \(address.http(""))"
    case .unreachable: "Is it running at \(address.webSocket)? --url names another address."
    }
  }
}
