import Foundation

/// The programs of a PostgreSQL server.
struct PostgreSQLBinaries: Equatable, Sendable {
  /// The oldest version that the bridge works with.
  static let oldestVersion = 14
  /// The programs that a folder must hold.
  private static let programs = ["initdb", "pg_ctl", "postgres"]

  /// The folder.
  let folder: String

  /// The path of a program.
  func path(_ program: String) -> String { "\(folder)/\(program)" }

  /// Looks on the path, then where `pg_config` points, then where Debian and Homebrew put servers, newest first.
  ///
  /// - Parameters:
  ///   - searchPath: the folders of PATH.
  ///   - configured: the output of `pg_config --bindir`.
  ///   - roots: folders with one folder for each version.
  ///   - isExecutable: whether a path is a program.
  static func find(
    searchPath: [String], configured: String?, roots: [(folder: String, versions: [String], suffix: String)],
    isExecutable: (String) -> Bool
  ) -> PostgreSQLBinaries? {
    var candidates = searchPath
    if let configured { candidates.append(configured) }
    for root in roots {
      let newestFirst = root.versions.sorted { number($0) > number($1) }
      candidates += newestFirst.filter { number($0) >= oldestVersion }.map { "\(root.folder)/\($0)\(root.suffix)" }
    }
    return candidates.first { folder in
      !folder.isEmpty && programs.allSatisfy { isExecutable("\(folder)/\($0)") }
    }.map { PostgreSQLBinaries(folder: $0) }
  }

  /// Looks on this machine.
  ///
  /// - Throws: an error with the command that installs a server.
  static func find() throws(DevError) -> PostgreSQLBinaries {
    let files = FileManager.default
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/local/bin:/usr/bin:/bin"
    let searchPath = path.split(separator: ":").map(String.init)
    let configuring = searchPath.map { $0 + "/pg_config" }.first { files.isExecutableFile(atPath: $0) }
    let configured = configuring.flatMap { program -> String? in
      guard let run = try? ChildProcess.run(program, ["--bindir"], seconds: 5), run.status == 0 else { return nil }
      return run.output.trimmingCharacters(in: .whitespacesAndNewlines)
    }
    let debian = "/usr/lib/postgresql", homebrew = "/opt/homebrew/opt"
    let kegs = ((try? files.contentsOfDirectory(atPath: homebrew)) ?? []).filter { $0.hasPrefix("postgresql") }
    let found = find(
      searchPath: searchPath, configured: configured,
      roots: [
        (debian, (try? files.contentsOfDirectory(atPath: debian)) ?? [], "/bin"), (homebrew, kegs, "/bin"),
      ],
      isExecutable: files.isExecutableFile(atPath:))
    if let found { return found }
    throw DevError(
      "no PostgreSQL server is installed here, and `dev` needs one to start",
      remedy: """
        Install one:  apt install postgresql  ·  dnf install postgresql-server  ·  brew install postgresql@17
        or let it use an existing database:  DATABASE_URL=postgresql://… notify-bridge dev
        """)
  }

  /// The version in a folder's name: `15`, `postgresql@16`; 0 where there is none.
  private static func number(_ name: String) -> Int { Int(name.drop { !$0.isNumber }.prefix { $0.isNumber }) ?? 0 }
}
