internal import CNotifyStore

/// A failure of the database.
package struct StoreError: Error, CustomStringConvertible, CustomDebugStringConvertible {
  /// What kind of failure it is; adding one breaks nobody.
  package struct Code: Hashable, Sendable, CustomStringConvertible {
    package let description: String

    /// Timed out.
    package static let timeout = Code(description: "timeout")
    /// The caller's argument is wrong, or the connection string can't be parsed.
    package static let badArgument = Code(description: "bad argument")
    package static let outOfMemory = Code(description: "out of memory")
    /// The server could not be reached or did not let us in.
    package static let notConnected = Code(description: "not connected")
    /// The connection broke while in use.
    package static let connectionLost = Code(description: "connection lost")
    /// The server answered a statement with an error.
    package static let server = Code(description: "server error")
    /// The server's answer does not have the expected shape.
    package static let badAnswer = Code(description: "unexpected answer")
    /// The server is a standby: LISTEN and marking need a primary.
    package static let standby = Code(description: "standby")
    /// A pooler stands where a session is needed.
    package static let pooler = Code(description: "pooler")
    /// The bridge's schema is missing, older or newer than this program needs.
    package static let schema = Code(description: "schema")
  }

  package let code: Code
  /// SQLSTATE, or empty where the server gave none.
  package let sqlstate: String
  /// One line for a person; no secret.
  package let message: String
  /// How to fix it, or empty.
  package let hint: String
  /// Whether the same call can succeed later without anybody changing anything.
  package let isRetriable: Bool
  /// Whether the message may quote a row, or was written by a function of the backend: then it is for no log.
  let quotes: Bool

  package init(
    _ code: Code, sqlstate: String = "", message: String, hint: String = "", isRetriable: Bool = false,
    quotes: Bool = false
  ) {
    self.quotes = quotes
    self.code = code
    self.sqlstate = sqlstate
    self.message = message
    self.hint = hint
    self.isRetriable = isRetriable
  }

  /// Copies the C module's last failure.
  init(_ status: notify_store_status, _ error: UnsafePointer<notify_store_error>?) {
    let error = error?.pointee
    let sqlstate = error.map {
      withUnsafeBytes(of: $0.sqlstate) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
    self.init(
      Self.code(of: status), sqlstate: sqlstate ?? "",
      message: error?.message.map { String(cString: $0) }
        ?? "the database module failed with status \(status.rawValue)",
      hint: error?.hint.map { String(cString: $0) } ?? "", isRetriable: error?.retriable ?? false,
      quotes: error?.quotes ?? false)
  }

  private static func code(of status: notify_store_status) -> Code {
    switch status {
    case NOTIFY_STORE_TIMEOUT: .timeout
    case NOTIFY_STORE_BAD_ARGUMENT: .badArgument
    case NOTIFY_STORE_NO_MEMORY: .outOfMemory
    case NOTIFY_STORE_NOT_CONNECTED: .notConnected
    case NOTIFY_STORE_CONNECTION_LOST: .connectionLost
    case NOTIFY_STORE_SERVER_ERROR: .server
    default: .badAnswer
    }
  }

  /// Safe to log: one line.
  package var description: String {
    sqlstate.isEmpty ? message : "\(message) (SQLSTATE \(sqlstate))"
  }

  /// Whether one statement has failed or was given up. Where the connection still stands, it takes another one.
  var concernsStatement: Bool { code == .server || code == .timeout }

  /// Whether the statement gave up waiting for a lock: it can be tried again, see `LockRetry`.
  package var isLockConflict: Bool { code == .server && Self.lockConflicts.contains(sqlstate) }

  /// Lock not available, deadlock detected.
  private static let lockConflicts: Set<String> = ["55P03", "40P01"]

  /// The same for a log or an answer to anybody: without a text that may quote a row.
  package var loggable: StoreError {
    guard quotes else { return self }
    return StoreError(code, sqlstate: sqlstate, message: "the server refused a statement", isRetriable: isRetriable)
  }

  /// The same without the server's text, for statements that evaluate payloads: a function of the backend may have written
  /// it, with values of a row.
  var withoutText: StoreError {
    guard code == .server else { return self }
    return StoreError(code, sqlstate: sqlstate, message: "rows can't be read", isRetriable: isRetriable)
  }

  /// The full text, with the kind of failure and the hint.
  package var debugDescription: String {
    "\(code): \(description)\(hint.isEmpty ? "" : " Hint: \(hint)")\(isRetriable ? " [retriable]" : "")"
  }
}
