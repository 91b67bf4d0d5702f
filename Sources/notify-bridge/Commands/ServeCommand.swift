import ArgumentParser
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
    let bridge = Bridge(
      settings: settings, url: url, output: .standardError(settings), signals: Signals(),
      readSettings: { try source.settings(needing: Self.secrets) },
      onListening: { FileOutput.printLine("listening on \($0)") })
    try await bridge.run()
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
