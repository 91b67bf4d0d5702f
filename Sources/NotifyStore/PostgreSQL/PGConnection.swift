internal import CNotifyStore
internal import Foundation
package import NotifyCore

/// One connection to PostgreSQL, used by one thread at a time. Each call blocks that thread, at most until its timeout.
///
/// Commands use it on the main thread, each service of the store on its own thread.
package final class PGConnection {
  /// Owns the C handle.
  final class Handle: Sendable {
    // Of the C module's calls only `wake` may come from another thread, and only that one does.
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

  private final class SilenceWatch {
    let isSilent: () -> Bool

    init(isSilent: @escaping () -> Bool) { self.isSilent = isSilent }
  }

  let handle: Handle
  var pointer: OpaquePointer { handle.pointer }
  private var silence: SilenceWatch?
  /// How long each `next` of the stream that was started last may take, in milliseconds.
  var streamTimeout: Int32 = 0

  /// Makes a connection that is not connected.
  ///
  /// - Parameter pooler: the kind of pooler between this program and the server.
  package init(pooler: Pooler = .detected) throws(StoreError) {
    handle = try Handle()
    notify_store_set_pooler(handle.pointer, pooler.c)
  }

  /// Makes a connection and connects it.
  package static func connect(
    url: Secret, applicationName: String, timeout: Duration
  ) throws(StoreError) -> PGConnection {
    let connection = try PGConnection()
    try connection.connect(url: url, applicationName: applicationName, timeout: timeout)
    return connection
  }

  /// Explains why a connection string can't be parsed; nil where it can. Needs no network and quotes no secret.
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

  /// Sets how many bytes the text of a row's payload may have; rows with more are unreadable.
  func setRowBytes(_ bytes: Int) { notify_store_set_row_bytes(pointer, UInt32(bytes)) }

  /// Has somebody asked, while a statement is under way and nothing has come for a time, and again after each such time,
  /// whether the link is silent. Then the statement fails as one whose connection was lost.
  ///
  /// - Parameter isSilent: called on the thread of the statement; must not use this connection.
  func onSilence(after time: Duration, _ isSilent: @escaping () -> Bool) {
    let watch = SilenceWatch(isSilent: isSilent)
    silence = watch
    notify_store_on_silence(
      pointer, time.milliseconds,
      { watch in
        watch.map { Unmanaged<SilenceWatch>.fromOpaque($0).takeUnretainedValue().isSilent() } ?? false
      },
      Unmanaged.passUnretained(watch).toOpaque())
  }

  /// Gives the session the search path that the server has for the role: for names that a person has typed, and for
  /// statements that fire the backend's triggers. Payload expressions must not be evaluated afterwards.
  package func useSearchPathOfRole() throws(StoreError) {
    if !isPooled { try query("RESET search_path") }
  }

  /// Closes; the connection can connect again.
  package func close() { notify_store_close(pointer) }

  package var isConnected: Bool { notify_store_is_connected(pointer) }
  /// As libpq counts it: 150004 is 15.4; 0 when not connected.
  package var serverVersion: Int { Int(notify_store_server_version(pointer)) }
  /// The process id in the connection's key data; differs from `pg_backend_pid()` behind a pooler.
  package var backendPID: Int { Int(notify_store_backend_pid(pointer)) }
  /// Whether a pooler stands in between: then no statement can rely on the session of the one before.
  package var isPooled: Bool { notify_store_is_pooled(pointer) }
  /// Wakes `wait` from any thread.
  package var waker: Waker { Waker(handle: handle) }

  /// Runs one statement, or several where there are no parameters, and returns the last one's rows as text; nil is NULL.
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

  /// The end of a wait.
  package struct WaitResult: Sendable, Equatable {
    /// Notifications received.
    package let doorbells: Int
    package let isWoken: Bool
  }

  /// Waits for a doorbell or a wake, until the timeout at most.
  ///
  /// - Throws: `connectionLost`.
  package func wait(_ timeout: Duration) throws(StoreError) -> WaitResult {
    var events: UInt32 = 0
    var doorbells: UInt32 = 0
    try check(notify_store_wait(pointer, timeout.milliseconds, &events, &doorbells))
    return WaitResult(doorbells: Int(doorbells), isWoken: events & NOTIFY_STORE_EVENT_WAKE != 0)
  }

  func check(_ status: notify_store_status) throws(StoreError) {
    guard status == NOTIFY_STORE_OK else { throw StoreError(status, notify_store_last_error(pointer)) }
  }
}
