import Foundation
import NotifyCore
import NotifyStore

/// A PostgreSQL server of `dev`'s own, in its folder.
///
/// Its socket lies in a folder that only its owner can enter, so whoever reaches it is trusted. Its port is on
/// loopback, where every user of the machine can knock, so there it asks for the password that the folder keeps.
struct PrivatePostgreSQL: Sendable {
  /// The database that holds the notifications.
  static let database = "demo"
  private static let user = "postgres"
  /// The longest path of a socket that every system takes, less the socket's own name.
  private static let longestSocketPath = 80

  let folder: DevFolder
  let binaries: PostgreSQLBinaries
  let port: Int
  private let password: String

  private init(folder: DevFolder, binaries: PostgreSQLBinaries, port: Int, password: String) {
    self.folder = folder
    self.binaries = binaries
    self.port = port
    self.password = password
  }

  /// Whether there is a socket in the file system: not where the folder's path is too long for one.
  var hasSocket: Bool { folder.socket.utf8.count <= Self.longestSocketPath }

  /// Where the server is, for this process and for `psql`; without a password where the socket needs none.
  var url: Secret { url(of: Self.database) }

  private func url(of database: String) -> Secret {
    hasSocket
      ? Secret("host='\(Self.quoted(folder.socket))' port=\(port) user=\(Self.user) dbname=\(database)")
      : Secret("postgresql://\(Self.user):\(password)@127.0.0.1:\(port)/\(database)")
  }

  /// The line that opens `psql` at it.
  var psqlLine: String {
    let program = binaries.path("psql")
    let isOnPath = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
      .contains { FileManager.default.isExecutableFile(atPath: "\($0)/psql") }
    return "\(isOnPath ? "psql" : program) \"\(url.exposed)\""
  }

  /// Makes the data where there are none, and starts the server; one that a killed `dev` left behind is stopped first.
  ///
  /// Blocks the thread for some seconds.
  static func start(in folder: DevFolder, tell: (String) -> Void) throws -> PrivatePostgreSQL {
    let binaries = try PostgreSQLBinaries.find()
    let password = try folder.secret("database-password")
    try initialize(folder, binaries, tell)
    try folder.makeFolder(folder.socket)
    var failure: Failure?
    // Somebody else may take the port between finding and using it.
    for _ in 0..<3 {
      let server = PrivatePostgreSQL(
        folder: folder, binaries: binaries, port: try FreePort.find(), password: password)
      if try server.control(["status"]).status == 0 { try server.stop() }
      try server.configure()
      let started = try server.control(["-w", "-t", "60", "-l", folder.log, "start"])
      if started.status == 0 {
        try server.makeDatabase()
        return server
      }
      failure = Failure(
        "the private PostgreSQL does not start: \(logTail(folder))",
        remedy: "See \(folder.log). Its data are for trying only: removing \(folder.data) starts over.")
    }
    throw failure ?? Failure("the private PostgreSQL does not start")
  }

  /// Stops the server, its clients' connections included. Blocks the thread.
  func stop() throws {
    if try control(["-w", "-t", "20", "-m", "fast", "stop"]).status == 0 { return }
    _ = try control(["-w", "-t", "10", "-m", "immediate", "stop"])
  }

  private func control(_ arguments: [String]) throws -> ChildProcess.Result {
    try folder.owner.run(
      binaries.path("pg_ctl"), ["-D", folder.data] + arguments, in: folder.path, seconds: 90)
  }

  private static func initialize(
    _ folder: DevFolder, _ binaries: PostgreSQLBinaries, _ tell: (String) -> Void
  ) throws {
    let files = FileManager.default
    guard !files.fileExists(atPath: "\(folder.data)/PG_VERSION") else { return try checkVersion(folder, binaries) }
    tell("making a private PostgreSQL in \(folder.path)")
    // Under another name until it is whole: what a killed `dev` leaves half made is not taken for data.
    let draft = "\(folder.path)/data.new"
    try? files.removeItem(atPath: draft)
    let made = try folder.owner.run(
      binaries.path("initdb"),
      [
        "-D", draft, "-U", user, "--encoding=UTF8", "--locale=C", "--no-sync", "--auth-local=trust",
        "--auth-host=scram-sha-256", "--pwfile=\(folder.path)/database-password",
      ], in: folder.path, seconds: 120)
    guard made.status == 0 else {
      let last = made.output.split(separator: "\n").last { !$0.isEmpty } ?? "unknown"
      throw Failure("initdb failed: \(TerminalText.shortened(String(last), to: 200))")
    }
    try "include 'dev.conf'\n".appendLine(to: "\(draft)/postgresql.conf")
    guard rename(draft, folder.data) == 0 else { throw Failure("\(folder.data) can't be made") }
  }

  /// Data of another major version can't be used by these programs.
  private static func checkVersion(_ folder: DevFolder, _ binaries: PostgreSQLBinaries) throws {
    let data = (try? String(contentsOfFile: "\(folder.data)/PG_VERSION", encoding: .utf8))?.trimmingSpaces() ?? ""
    let output = try ChildProcess.run(binaries.path("postgres"), ["--version"], seconds: 10).output
    let version = output.split(separator: " ").first { $0.first?.isNumber == true }?.prefix { $0.isNumber } ?? ""
    guard !version.isEmpty, data != version else { return }
    throw Failure(
      "the data in \(folder.data) are of PostgreSQL \(data), and installed is \(version)",
      remedy: "They are for trying only: remove that folder, or give another one with --data-dir.")
  }

  private func configure() throws(Failure) {
    try folder.write(
      """
      # Written by notify-bridge dev at each start.
      listen_addresses = '127.0.0.1'
      port = \(port)
      unix_socket_directories = '\(hasSocket ? folder.socket.replacing("'", with: "''") : "")'
      max_connections = 50
      log_min_messages = warning

      """, to: "\(folder.data)/dev.conf")
  }

  private func makeDatabase() throws {
    let connection = try Database.connect(url(of: "postgres"))
    defer { connection.close() }
    let found = try connection.query("SELECT FROM pg_database WHERE datname = $1", [Self.database])
    if found.isEmpty { try connection.query("CREATE DATABASE \(Self.database)", timeout: .seconds(30)) }
  }

  private static func logTail(_ folder: DevFolder) -> String {
    let text = (try? String(contentsOfFile: folder.log, encoding: .utf8)) ?? ""
    let last = text.split(separator: "\n").last { $0.contains("FATAL") || $0.contains("ERROR") || $0.contains("PANIC") }
    return TerminalText.shortened(last.map(String.init) ?? "no reason in its log", to: 200)
  }

  /// A value in single quotes of a conninfo.
  private static func quoted(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
  }
}

extension String {
  /// Appends the text to a file.
  fileprivate func appendLine(to path: String) throws {
    guard let handle = FileHandle(forWritingAtPath: path) else { throw Failure("\(path) can't be written") }
    defer { try? handle.close() }
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(utf8))
  }
}
