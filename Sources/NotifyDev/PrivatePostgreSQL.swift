import Foundation
package import NotifyCore
import NotifyStore

/// The PostgreSQL server that `dev` runs for itself, in its folder.
///
/// Its socket lies in a folder that only its owner can enter, so connections through it are trusted. Its port is on
/// loopback, which every user of the machine can reach, so connections there need the password that the folder keeps.
package struct PrivatePostgreSQL: Sendable {
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

  /// The address of the database, for this process and for `psql`; without a password where the socket needs none.
  package var url: Secret { url(of: Self.database) }

  private func url(of database: String) -> Secret {
    hasSocket
      ? Secret("host='\(Self.quoted(folder.socket))' port=\(port) user=\(Self.user) dbname=\(database)")
      : Secret("postgresql://\(Self.user):\(password)@127.0.0.1:\(port)/\(database)")
  }

  /// The line that opens `psql` at it.
  package var psqlLine: String {
    let program = binaries.path("psql")
    let isOnPath = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
      .contains { FileManager.default.isExecutableFile(atPath: "\($0)/psql") }
    return "\(isOnPath ? "psql" : program) \"\(url.exposed)\""
  }

  /// Starts the server, after `initdb` where there are no data. A server that a killed `dev` left behind is stopped first.
  ///
  /// Blocks the thread for some seconds.
  package static func start(in folder: DevFolder, report: (String) -> Void) throws -> PrivatePostgreSQL {
    let binaries = try PostgreSQLBinaries.find()
    let password = try folder.secret("database-password")
    try initialize(folder, binaries, report)
    try folder.makeFolder(folder.socket)
    var failure: DevError?
    // Another process may take the port between finding and using it.
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
      failure = DevError(
        "the private PostgreSQL does not start: \(logTail(folder))",
        remedy: "See \(folder.log). Its data are for testing only: removing \(folder.data) starts over.")
    }
    throw failure ?? DevError("the private PostgreSQL does not start")
  }

  /// Stops the server, its clients' connections included. Blocks the thread.
  package func stop() throws {
    if try control(["-w", "-t", "20", "-m", "fast", "stop"]).status == 0 { return }
    _ = try control(["-w", "-t", "10", "-m", "immediate", "stop"])
  }

  private func control(_ arguments: [String]) throws -> ChildProcess.Result {
    try folder.owner.run(
      binaries.path("pg_ctl"), ["-D", folder.data] + arguments, in: folder.path, seconds: 90)
  }

  private static func initialize(
    _ folder: DevFolder, _ binaries: PostgreSQLBinaries, _ report: (String) -> Void
  ) throws {
    let files = FileManager.default
    guard !files.fileExists(atPath: "\(folder.data)/PG_VERSION") else { return try checkVersion(folder, binaries) }
    report("making a private PostgreSQL in \(folder.path)")
    // Under another name until it is complete: a killed `dev` may leave it half made.
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
      throw DevError("initdb failed: \(last.prefix(200))")
    }
    try "include 'dev.conf'\n".appendLine(to: "\(draft)/postgresql.conf")
    guard rename(draft, folder.data) == 0 else { throw DevError("\(folder.data) can't be made") }
  }

  /// Data of another major version can't be used by these programs.
  private static func checkVersion(_ folder: DevFolder, _ binaries: PostgreSQLBinaries) throws {
    let data =
      (try? String(contentsOfFile: "\(folder.data)/PG_VERSION", encoding: .utf8))?.trimmingCharacters(
        in: .whitespacesAndNewlines) ?? ""
    let output = try ChildProcess.run(binaries.path("postgres"), ["--version"], seconds: 10).output
    let version = output.split(separator: " ").first { $0.first?.isNumber == true }?.prefix { $0.isNumber } ?? ""
    guard !version.isEmpty, data != version else { return }
    throw DevError(
      "the data in \(folder.data) are of PostgreSQL \(data), and installed is \(version)",
      remedy: "They are for testing only: remove that folder, or give another one with --data-dir.")
  }

  private func configure() throws(DevError) {
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
    let connection = try DevConnection.open(url(of: "postgres"), timeout: .milliseconds(4_500))
    defer { connection.close() }
    let found = try connection.query("SELECT FROM pg_database WHERE datname = $1", [Self.database])
    if found.isEmpty { try connection.query("CREATE DATABASE \(Self.database)", timeout: .seconds(30)) }
  }

  private static func logTail(_ folder: DevFolder) -> String {
    let text = (try? String(contentsOfFile: folder.log, encoding: .utf8)) ?? ""
    let last = text.split(separator: "\n").last { $0.contains("FATAL") || $0.contains("ERROR") || $0.contains("PANIC") }
    return String((last ?? "no reason in its log").prefix(200))
  }

  /// A value in single quotes of a conninfo.
  private static func quoted(_ text: String) -> String {
    text.replacing("\\", with: "\\\\").replacing("'", with: "\\'")
  }
}

extension String {
  /// Appends the text to a file.
  fileprivate func appendLine(to path: String) throws {
    guard let handle = FileHandle(forWritingAtPath: path) else { throw DevError("\(path) can't be written") }
    defer { try? handle.close() }
    try handle.seekToEnd()
    try handle.write(contentsOf: Data(utf8))
  }
}
