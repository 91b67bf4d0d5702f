import ArgumentParser
import Foundation
import NotifyAuth
import NotifyCore
import NotifyDev
import NotifyGateway
import NotifyStore

/// `notify-bridge dev`.
struct DevCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dev",
    abstract:
      "Runs the bridge with nothing to set up: a private PostgreSQL, demo users and a page that shows it working.",
    discussion: """
      It listens on this machine only. With DATABASE_URL it migrates and uses that database.

      Example:  notify-bridge dev
      """)

  @Option(help: ArgumentHelp("The folder for its database and keys.", valueName: "folder"))
  var dataDir: String?

  @Flag(
    help:
      "Listen on any address: in a container, whose port is published to this machine only (-p 127.0.0.1:8080:8080).")
  var inContainer = false

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func run() async throws {
    let source = options.source
    var settings = try source.settings(needing: ServeCommand.secrets)
    if !inContainer { try Self.requireLoopback(settings) }
    let given = try settings.databaseURL.map { _ in try Database.url(settings) }
    let signals = Signals()
    let folder = try DevFolder(path: dataDir, holdsServer: given == nil)
    let jwtSecret = try folder.secret("jwt-secret")
    settings = Self.completed(settings, jwtSecret: jwtSecret)
    let server = try await startServer(given, folder)
    do {
      try await serve(settings, source, folder, server, given, jwtSecret, signals)
    } catch {
      try await stop(server)
      throw error
    }
    try await stop(server)
  }

  private func startServer(_ given: Secret?, _ folder: DevFolder) async throws -> PrivatePostgreSQL? {
    guard given == nil else { return nil }
    return try await Blocking.run { try PrivatePostgreSQL.start(in: folder) { FileOutput.printError($0) } }
  }

  private func stop(_ server: PrivatePostgreSQL?) async throws {
    guard let server else { return }
    try await Blocking.run { try server.stop() }
  }

  private func serve(
    _ settings: Settings, _ source: SettingsSource, _ folder: DevFolder, _ server: PrivatePostgreSQL?, _ given: Secret?,
    _ jwtSecret: String, _ signals: Signals
  ) async throws {
    guard let url = given ?? server?.url, !signals.isStopping else { return }
    try await Blocking.run { try Self.migrate(url) }
    guard !signals.isStopping else { return }
    let settings = try await Blocking.run { Self.withFreePort(settings) }
    let psqlLine = server?.psqlLine ?? #"psql "$DATABASE_URL""#
    let demo = DemoRoutes(
      version: Version.number, path: settings.gateway.path, database: DemoDatabase(url: url), psqlLine: psqlLine,
      makeToken: { try Token.make($0, seconds: 3_600, settings) })
    let bridge = Bridge(
      settings: settings, url: url, output: .standardError(settings), signals: signals,
      readSettings: {
        var read = Self.completed(try source.settings(needing: ServeCommand.secrets), jwtSecret: jwtSecret)
        // The free port that it may have fallen back to is no change.
        read.gateway.port = settings.gateway.port
        return read
      },
      routes: demo.routes,
      onListening: { listening in
        // Inside a container that is an address of no browser.
        let address = listening.replacing("//0.0.0.0:", with: "//localhost:")
        folder.announce("\(address)/")
        FileOutput.printLine(Self.welcome(address, psqlLine))
      },
      beforeExit: { try? server?.stop() })
    try await bridge.run()
  }

  /// The lines that a new user needs.
  static func welcome(_ address: String, _ psqlLine: String) -> String {
    """
    listening on \(address)

      page   \(address)/
      psql   \(psqlLine)
      try    INSERT INTO notification (user_id, data) VALUES (1, '{"text": "Hello from psql"}');

    Ctrl-C stops it.
    """
  }

  /// The settings with a secret for tokens, where none is given.
  private static func completed(_ settings: Settings, jwtSecret: String) -> Settings {
    var settings = settings
    settings.jwt.secret = settings.jwt.secret ?? Secret(jwtSecret)
    return settings
  }

  /// Refuses to listen beyond this machine: the page gives a token to anybody who can reach it.
  static func requireLoopback(_ settings: Settings) throws(ConfigurationError) {
    let host = settings.gateway.host
    let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    let isLoopback = bare == "localhost" || bare == "::1" || bare.wholeMatch(of: /127\.\d+\.\d+\.\d+/) != nil
    guard !isLoopback else { return }
    throw ConfigurationError(
      """
      \(settings.origin(\.gateway.host)) is "\(TerminalText.shortened(host, to: 60))": dev listens on this machine only, since its page
      gives a token to anybody. Allowed are 127.0.0.1, ::1 and localhost; serve listens anywhere. In a container whose
      port is published to this machine only: --in-container
      """)
  }

  private static func withFreePort(_ settings: Settings) -> Settings {
    let port = settings.gateway.port
    guard !FreePort.isFree(settings.gateway.host, port) else { return settings }
    FileOutput.printError("port \(port) is taken: using a free one")
    var settings = settings
    settings.gateway.port = 0
    return settings
  }

  private static func migrate(_ url: Secret) throws {
    let connection = try Database.connect(url)
    defer { connection.close() }
    let applied = try Migrator(connection).apply()
    for step in applied { FileOutput.printError("applied \(step)") }
  }
}
