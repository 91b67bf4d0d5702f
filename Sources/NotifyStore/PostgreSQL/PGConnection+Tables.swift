internal import CNotifyStore
internal import Foundation
internal import NotifyCore

/// Served tables, and rows written to them.
extension PGConnection {
  /// Sets the tables that later calls read and mark. Until the first call, that is `public.notification`.
  package func serve(_ tables: [TableMapping]) throws(StoreError) {
    var strings = CStrings()
    defer { strings.free() }
    var list: [notify_store_source] = []
    for table in tables { list.append(strings.mapping(table)) }
    try check(notify_store_serve(pointer, list, list.count))
  }

  /// Reads no row of a table, or marks none, in all the ways in which rows are read or marked.
  ///
  /// - Parameter waitsBriefly: whether a lock on the table is not waited for as long as usual.
  /// - Returns: the server's error where something is wrong with the table, else nil.
  func probe(
    _ table: TableMapping, marking: Bool = false, waitsBriefly: Bool = false
  ) throws(StoreError) -> StoreError? {
    var strings = CStrings()
    defer { strings.free() }
    if waitsBriefly { try limitLockWaits(Limits.lockRetryWait) }
    defer { if waitsBriefly, isConnected { _ = try? limitLockWaits() } }
    let status = notify_store_probe(pointer, [strings.mapping(table)], marking, Duration.seconds(5).milliseconds)
    do throws(StoreError) {
      try check(status)
      return nil
    } catch {
      guard error.code == .server, isConnected else { throw error }
      return error.loggable
    }
  }

  /// Limits how long statements that read rows wait for a lock.
  func limitLockWaits(_ wait: Duration = Limits.lockWait) throws(StoreError) {
    try check(notify_store_limit_lock_waits(pointer, wait.milliseconds, Duration.seconds(5).milliseconds))
  }

  /// Whether the database's encoding has all characters of a text.
  func canEncode(_ text: String) throws(StoreError) -> Bool {
    do throws(StoreError) {
      try query("SELECT $1::text", [text])
      return true
    } catch {
      guard error.concernsEncoding, isConnected else { throw error }
      return false
    }
  }

  /// INSERTs a row.
  ///
  /// - Parameters:
  ///   - table: the number of the table; 1 is `public.notification` where `serve` was not called.
  ///   - data: JSON text, or nil for SQL NULL.
  /// - Returns: the row's id, as text.
  package func insert(
    into table: Int32 = 1, user: String, data: String?, timeout: Duration = .seconds(5)
  ) throws(StoreError) -> String {
    var id: UnsafeMutablePointer<CChar>?
    defer { free(id) }
    try check(notify_store_insert(pointer, table, user, data, timeout.milliseconds, &id))
    return id.map { String(cString: $0) } ?? ""
  }

  /// Deletes old rows, at most `batch` altogether, or counts all that are due with `dryRun`.
  ///
  /// Old are sent rows of our own table after `days` (0: none are), and rows of attached tables past their retention.
  /// Unsent rows are kept, or for `unsentDays` (where that is not 0).
  package func purge(
    days: Int, unsentDays: Int = 0, batch: Int, dryRun: Bool, timeout: Duration
  ) throws(StoreError) -> Int64 {
    var rows: Int64 = 0
    try check(
      notify_store_purge(
        pointer, Int32(days), Int32(unsentDays), Int32(batch), dryRun, timeout.milliseconds, &rows))
    return rows
  }
}
