import Foundation
import NotifyCore
import NotifyStore

/// Opens connections for commands that try once.
enum Database {
  /// The database's URL, checked without network access.
  ///
  /// - Throws: a configuration error with the ways to set it.
  static func url(_ settings: Settings) throws(ConfigurationError) -> Secret {
    guard let url = settings.databaseURL else {
      throw ConfigurationError(
        """
        DATABASE_URL is missing: it names the database to serve
          in the environment:  DATABASE_URL=postgresql://user:password@host:5432/database
          or as a flag:        --database-url URL
          or in the file:      --config FILE with database: url: URL
        To try things without a database: notify-bridge dev
        """)
    }
    try check(url, settings.origin(\.databaseURL))
    if let listen = settings.store.listenURL { try check(listen, settings.origin(\.store.listenURL)) }
    return url
  }

  /// Connects.
  ///
  /// - Parameter timeout: the longest wait.
  static func connect(_ url: Secret, timeout: Duration = .milliseconds(4_500)) throws(StoreError) -> PGConnection {
    try PGConnection.connect(url: url, applicationName: Version.applicationName, timeout: timeout)
  }

  private static func check(_ url: Secret, _ origin: String) throws(ConfigurationError) {
    guard let problem = PGConnection.check(url) else { return }
    throw ConfigurationError(
      """
      \(origin) can't be used: \(problem.split(separator: "\n").joined(separator: " "))
      allowed is a libpq URI (postgresql://user:password@host:5432/database) or conninfo (host=… dbname=…)
      """)
  }
}
