import ArgumentParser
import Foundation
import Logging
import NotifyCore
import NotifyStore

/// `notify-bridge serve`.
struct ServeCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "serve",
    abstract: "Runs the bridge.",
    discussion: """
      Every setting is a flag, an environment variable or a key of the --config file. The flag is the strongest:
      --http-port is NOTIFY_BRIDGE_HTTP_PORT is `http: port:`; only DATABASE_URL has no prefix.

      Example:  DATABASE_URL=postgresql://bridge@localhost/app NOTIFY_BRIDGE_AUTH_JWT_SECRET=… notify-bridge serve

      SIGTERM and SIGINT drain and stop it. SIGHUP reloads the log level, logins and certificates.
      """)

  /// The secrets that serving needs.
  static var secrets: [PartialKeyPath<Settings>] { Settings.loginSecrets + [\.databaseURL, \.store.listenURL] }

  @OptionGroup(title: "Settings")
  var options: ConfigurationOptions

  func run() async throws {
    let settings = try options.source.settings(needing: Self.secrets)
    let url = try Self.requirements(settings)
    let source = options.source
    let output = LogOutput.standardError(settings)
    let bridge = Bridge(
      settings: settings, url: url, output: output, signals: Signals(),
      readSettings: { try source.settings(needing: Self.secrets) },
      onListening: { Self.announce("listening on \($0)", output) })
    try await bridge.run()
  }

  /// Writes to standard output. A container has one log of both streams, so there the line has the log's form.
  private static func announce(_ message: String, _ output: LogOutput) {
    guard ContainerBridge.serveArguments != nil else { return FileOutput.printLine(message) }
    let line = LogLine(time: Date(), level: .notice, label: Version.applicationName, message: message, fields: [])
    FileOutput.write(Array(output.text(line).utf8), to: STDOUT_FILENO)
  }

  /// Checks that there are a login method and a database; reports both problems at once.
  private static func requirements(_ settings: Settings) throws(ConfigurationError) -> Secret {
    do {
      try settings.requireLogin()
    } catch let login {
      do {
        _ = try Database.url(settings)
      } catch {
        throw ConfigurationError(error.problems + login.problems)
      }
      throw login
    }
    return try Database.url(settings)
  }
}
