internal import CNotifyStore
internal import Foundation
package import NotifyCore

/// One connection to PostgreSQL, used by one thread at a time; each call blocks that thread until its timeout at most.
///
/// Commands use it on the main thread, the bridge's actors on the thread that each has of its own.
package final class PGConnection {
  /// Owns the C handle.
  final class Handle: Sendable {
    // The C module says which calls may come from which thread; only `wake` is used from another one.
    nonisolated(unsafe) let pointer: OpaquePointer

    init() throws(StoreError) {
      var pointer: OpaquePointer?
      let status = notify_store_create(nil, &pointer)
      guard status == NOTIFY_STORE_OK, let pointer else { throw StoreError(status, nil) }
      self.pointer = pointer
    }

    deinit { notify_store_destroy(pointer) }
  }

  /// Makes the current or next `wait` of a connection return, from any thread.
  package struct Waker: Sendable {
    let handle: Handle

    package func wake() { notify_store_wake(handle.pointer) }
  }

  let handle: Handle
  var pointer: OpaquePointer { handle.pointer }
  /// How long each `next` of the stream that was started last may take, in milliseconds.
  var streamTimeout: Int32 = 0

  /// Makes a connection that is not connected yet.
  ///
  /// - Parameter pooler: what stands between this program and the server.
  package init(pooler: Pooler = .detected) throws(StoreError) {
    handle = try Handle()
    notify_store_set_pooler(handle.pointer, pooler.c)
  }

  /// Says which tables are read and marked from now on; without it, `public.notification`.
  package func serve(_ sources: [TableMapping]) throws(StoreError) {
    var strings = CStrings()
    defer { strings.free() }
    var list: [notify_store_source] = []
    for source in sources { list.append(strings.source(source)) }
    try check(notify_store_serve(pointer, list, list.count))
  }

  /// Connects a new connection.
  package static func connect(
    url: Secret, applicationName: String, timeout: Duration
  ) throws(StoreError) -> PGConnection {
    let connection = try PGConnection()
    try connection.connect(url: url, applicationName: applicationName, timeout: timeout)
    return connection
  }

  /// Why a connection string can't be parsed, without any network access; nil where it can. Quotes no secret.
  package static func check(_ url: Secret) -> String? {
    var message: UnsafeMutablePointer<CChar>?
    let status = notify_store_check_conninfo(url.exposed, &message)
    defer { free(message) }
    if status == NOTIFY_STORE_OK { return nil }
    return message.map { String(cString: $0) } ?? "it can't be parsed"
  }

  /// Connects, replacing an earlier connection.
  ///
  /// - Throws: `notConnected` with the server's SQLSTATE where it gave one, or `timeout`.
  package func connect(url: Secret, applicationName: String, timeout: Duration) throws(StoreError) {
    try check(notify_store_connect(pointer, url.exposed, applicationName, timeout.milliseconds))
  }

  /// Closes; the connection can connect again.
  package func close() { notify_store_close(pointer) }

  package var isConnected: Bool { notify_store_is_connected(pointer) }
  /// As libpq counts it: 150004 is 15.4; 0 when not connected.
  package var serverVersion: Int { Int(notify_store_server_version(pointer)) }
  /// The process id in the connection's key data; differs from `pg_backend_pid()` behind a pooler.
  package var backendPID: Int { Int(notify_store_backend_pid(pointer)) }
  /// Whether a pooler stands in between: then each statement stands for itself.
  package var isPooled: Bool { notify_store_is_pooled(pointer) }
  /// Wakes `wait` from any thread.
  package var waker: Waker { Waker(handle: handle) }

  /// Runs one statement (without parameters: or several) and returns its rows, as text; nil is SQL NULL.
  @discardableResult
  package func query(
    _ sql: String, _ parameters: [String?] = [], timeout: Duration = .seconds(5)
  ) throws(StoreError) -> [[String?]] {
    var result: OpaquePointer?
    let copies = parameters.map { $0.flatMap { strdup($0) } }
    defer { copies.forEach { free($0) } }
    let status = copies.map { UnsafePointer($0) }.withUnsafeBufferPointer {
      notify_store_query(pointer, sql, Int32(parameters.count), $0.baseAddress, timeout.milliseconds, &result)
    }
    defer { notify_store_result_destroy(result) }
    try check(status)
    return (0..<notify_store_result_rows(result)).map { row in
      (0..<notify_store_result_columns(result)).map { column in
        notify_store_result_value(result, row, column).map { String(cString: $0) }
      }
    }
  }

  /// LISTENs on a channel.
  package func listen(_ channel: String, timeout: Duration = .seconds(5)) throws(StoreError) {
    try check(notify_store_listen(pointer, channel, timeout.milliseconds))
  }

  /// What ended a wait.
  package struct Event: Sendable, Equatable {
    /// Notifications that came; 0 where none did.
    package let doorbells: Int
    package let isWoken: Bool
  }

  /// Waits for a doorbell or a wake, at most so long.
  ///
  /// - Throws: `connectionLost`.
  package func wait(_ timeout: Duration) throws(StoreError) -> Event {
    var events: UInt32 = 0
    var doorbells: UInt32 = 0
    try check(notify_store_wait(pointer, timeout.milliseconds, &events, &doorbells))
    return Event(doorbells: Int(doorbells), isWoken: events & NOTIFY_STORE_EVENT_WAKE != 0)
  }

  /// INSERTs a row.
  ///
  /// - Parameters:
  ///   - source: the table's number; 1 is `public.notification` where `serve` was not called.
  ///   - data: JSON text, or nil for SQL NULL.
  /// - Returns: the row's id, as text.
  package func insert(
    into source: Int32 = 1, user: String, data: String?, timeout: Duration = .seconds(5)
  ) throws(StoreError) -> String {
    var id: UnsafeMutablePointer<CChar>?
    defer { free(id) }
    try check(notify_store_insert(pointer, source, user, data, timeout.milliseconds, &id))
    return id.map { String(cString: $0) } ?? ""
  }

  /// Deletes sent rows older than `days` (0: none) from our own table, and from attached ones what is past a retention
  /// of their own, at most `batch` altogether; with `dryRun` counts all that are due instead.
  package func purge(days: Int, batch: Int, dryRun: Bool, timeout: Duration) throws(StoreError) -> Int64 {
    var rows: Int64 = 0
    try check(notify_store_purge(pointer, Int32(days), Int32(batch), dryRun, timeout.milliseconds, &rows))
    return rows
  }

  func check(_ status: notify_store_status) throws(StoreError) {
    guard status == NOTIFY_STORE_OK else { throw StoreError(status, notify_store_last_error(pointer)) }
  }
}

/// What stands between this program and the server.
package enum Pooler: Sendable, Equatable {
  /// Found out at each connect.
  case detected
  /// A pooler that gives each transaction another session.
  case always
  case never

  fileprivate var c: notify_store_pooler {
    switch self {
    case .detected: NOTIFY_STORE_POOLER_DETECT
    case .always: NOTIFY_STORE_POOLER_ALWAYS
    case .never: NOTIFY_STORE_POOLER_NEVER
    }
  }
}

extension Duration {
  /// Whole milliseconds, rounded up, for the C module: never negative, never more than a day.
  var milliseconds: Int32 {
    let (seconds, attoseconds) = components
    let milliseconds = seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    return Int32(clamping: min(max(milliseconds, 0), 86_400_000))
  }
}
