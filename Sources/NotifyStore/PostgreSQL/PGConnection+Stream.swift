internal import CNotifyStore
internal import Foundation
internal import NotifyCore

/// Streams of rows: deltas, replays and the scan for unsent rows.
extension PGConnection {
  /// One item of a stream; its bytes live until the next call on the connection.
  enum Item {
    /// The statement's snapshot: always the first item. Of a replay, also when the statement began.
    case snapshot(Snapshot, began: Int64?)
    /// The answer to a replay's request begins.
    case request(index: Int, isTruncated: Bool, hasMore: Bool)
    /// A row; `user` is nil for SQL NULL and for an id that is not valid, `data` is empty for SQL NULL.
    case row(request: Int, key: RowKey, user: UserID?, createdAt: Int64?, data: UnsafeRawBufferPointer)
    /// A row that is there and can't be read.
    case unreadable(request: Int, key: RowKey, sqlstate: String)
    /// Rows by their keys: no row has this key any more.
    case gone
    /// A user has unsent rows.
    case unsent(user: UserID?, oldest: UInt64, rows: Int)
    /// Access has ended; comes before the rows of a delta. Nil for a kind of revocation that this program doesn't know.
    case revocation(Revocation?)
  }

  /// Starts a stream of the rows that are visible now and were not in `previous`; read it with `next`.
  ///
  /// - Parameter timeout: of the start, and of each `next`.
  func delta(since previous: Snapshot, timeout: Duration) throws(StoreError) {
    streamTimeout = timeout.milliseconds
    let status = previous.xip.withUnsafeBufferPointer {
      notify_store_delta(pointer, previous.xmax, $0.baseAddress, $0.count, streamTimeout)
    }
    try check(status)
  }

  /// Reads the keys of a delta into a cursor; read them with `fetchKeys`.
  func deltaKeys(since previous: Snapshot, timeout: Duration) throws(StoreError) {
    let status = previous.xip.withUnsafeBufferPointer {
      notify_store_delta_keys(pointer, previous.xmax, $0.baseAddress, $0.count, timeout.milliseconds)
    }
    try check(status)
  }

  /// Starts a stream of the next keys of a delta: items as of the delta, rows without data. Fewer than `count` are the last.
  ///
  /// - Parameter timeout: of the start, and of each `next`.
  func fetchKeys(_ count: Int, timeout: Duration) throws(StoreError) {
    streamTimeout = timeout.milliseconds
    try check(notify_store_fetch_keys(pointer, UInt32(count), streamTimeout))
  }

  /// Starts a stream of rows by their keys: an item for each key, in their order. Use `KeyedRows`.
  ///
  /// - Parameter timeout: of the start, and of each `next`.
  func rows(_ keys: ArraySlice<RowKey>, timeout: Duration) throws(StoreError) {
    var strings = CStrings()
    defer { strings.free() }
    var list: [notify_store_key] = []
    list.reserveCapacity(keys.count)
    for key in keys {
      list.append(notify_store_key(source: key.row.table, id: strings.id(key.row.id), txid: key.txid))
    }
    streamTimeout = timeout.milliseconds
    try check(notify_store_rows(pointer, list, list.count, streamTimeout))
  }

  /// Starts a stream of the users with unsent rows; read it with `next`.
  ///
  /// - Parameter timeout: of the start, and of each `next`.
  func scanUnsent(timeout: Duration) throws(StoreError) {
    streamTimeout = timeout.milliseconds
    try check(notify_store_scan_unsent(pointer, streamTimeout))
  }

  /// The next item of the stream that was started last; nil after the last one.
  func next() throws(StoreError) -> Item? {
    var row = notify_store_row()
    let status = notify_store_next(pointer, streamTimeout, &row)
    if status == NOTIFY_STORE_END { return nil }
    do throws(StoreError) { try check(status) } catch { throw error.withoutText }
    let data = UnsafeRawBufferPointer(start: row.data, count: row.data == nil ? 0 : row.data_length)
    switch row.kind {
    case NOTIFY_STORE_ROW_SNAPSHOT:
      guard let snapshot = Snapshot(String(decoding: data, as: UTF8.self)) else {
        throw StoreError(.badAnswer, message: "the server's snapshot can't be read")
      }
      return .snapshot(snapshot, began: row.has_created_at ? row.created_at_us : nil)
    case NOTIFY_STORE_ROW_REQUEST:
      return .request(index: Int(row.request), isTruncated: row.truncated, hasMore: row.more)
    case NOTIFY_STORE_ROW_UNSENT:
      return .unsent(user: user(row), oldest: row.txid, rows: Int(row.id))
    case NOTIFY_STORE_ROW_REVOCATION:
      let words = String(decoding: data, as: UTF8.self).split(separator: " ").map(String.init)
      return .revocation(
        Revocation(
          user: text(row.user, row.user_length) ?? "", kind: words.first ?? "",
          credential: text(row.id_text, row.id_length), reason: words.last ?? "", txid: row.txid))
    case NOTIFY_STORE_ROW_UNREADABLE:
      return .unreadable(request: Int(row.request), key: key(row), sqlstate: String(decoding: data, as: UTF8.self))
    case NOTIFY_STORE_ROW_GONE:
      return .gone
    default:
      return .row(
        request: Int(row.request), key: key(row),
        user: user(row), createdAt: row.has_created_at ? row.created_at_us : nil, data: data)
    }
  }

  private func key(_ row: notify_store_row) -> RowKey {
    let id = text(row.id_text, row.id_length).map { RowID.text($0) } ?? .integer(row.id)
    return RowKey(txid: row.txid, row: RowName(table: row.source, id: id))
  }

  private func user(_ row: notify_store_row) -> UserID? {
    row.user.flatMap { UserID(utf8: UnsafeRawBufferPointer(start: $0, count: row.user_length)) }
  }

  private func text(_ start: UnsafePointer<CChar>?, _ length: Int) -> String? {
    start.map { String(decoding: UnsafeRawBufferPointer(start: $0, count: length), as: UTF8.self) }
  }

  /// Cancels the stream in the server, for where much is left of it.
  func cancelStream() throws(StoreError) { try check(notify_store_cancel(pointer)) }

  /// One user's part of a replay; see `notify_store_replay_request`.
  struct ReplayQuery {
    /// Nil for one that the database's encoding can't hold: it has no rows.
    var user: UserID?
    var lowest: UInt64
    var wantsUnsent: Bool
    /// `since` is a client's cursor.
    var isVouched: Bool
    var since: Snapshot?
    var sentLimit: Int
    var page: Snapshot?
    var after: RowKey?
    /// When the first page began, where rows marked since then are wanted.
    var began: Int64?
  }

  /// Starts a stream of one page for each query, all under one snapshot; read it with `next`.
  ///
  /// - Parameters:
  ///   - keysAlone: rows come without data; their number alone ends a page.
  ///   - timeout: of the start, and of each `next`.
  func replay(_ queries: [ReplayQuery], keysAlone: Bool = false, timeout: Duration) throws(StoreError) {
    var strings = CStrings()
    defer { strings.free() }
    var requests: [notify_store_replay_request] = []
    requests.reserveCapacity(queries.count)
    for query in queries {
      let integer = query.user?.integer
      requests.append(
        notify_store_replay_request(
          user: strings.copy(query.user?.text), integer: integer ?? 0, is_integer: integer != nil,
          is_uuid: query.user?.isUUID ?? false, lowest_txid: query.lowest, unsent: query.wantsUnsent,
          vouched: query.isVouched,
          since: strings.copy(query.since?.description), sent_limit: UInt32(query.sentLimit),
          snapshot: strings.copy(query.page?.description), after_txid: query.after?.txid ?? 0,
          after_source: query.after?.row.table ?? 0,
          after_id: query.after.map { strings.id($0.row.id) } ?? notify_store_id(number: 0, text: nil),
          began_us: query.began ?? 0))
    }
    streamTimeout = timeout.milliseconds
    try check(
      keysAlone
        ? notify_store_replay_keys(
          pointer, requests, requests.count, UInt32(Limits.replayPageRows), streamTimeout)
        : notify_store_replay(
          pointer, requests, requests.count, UInt32(Limits.replayPageRows), Limits.replayPageBytes, streamTimeout))
  }
}
