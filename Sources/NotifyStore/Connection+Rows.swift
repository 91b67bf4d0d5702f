internal import CNotifyStore
internal import Foundation
internal import NotifyCore

/// Reading and marking rows.
extension Connection {
  /// One item of a stream; its bytes live until the next call on the connection.
  enum Item {
    /// The statement's snapshot: always the first item.
    case snapshot(Snapshot)
    /// The answer to a replay's request begins.
    case request(index: Int, isTruncated: Bool, hasMore: Bool)
    /// A row; `user` is nil for SQL NULL or an id that is none, `data` empty for SQL NULL.
    case row(request: Int, key: RowKey, user: UserID?, createdAt: Int64?, data: UnsafeRawBufferPointer)
    /// A user has unsent rows.
    case unsent(user: UserID?, oldest: UInt64, rows: Int)
  }

  /// Starts to read what is visible now and was not in `previous`; read it with `next`.
  func delta(since previous: Snapshot, timeout: Duration) throws(StoreError) {
    let status = previous.xip.withUnsafeBufferPointer {
      notify_store_delta(pointer, previous.xmax, $0.baseAddress, $0.count, timeout.milliseconds)
    }
    try check(status)
  }

  /// Starts to read each user with unsent rows; read them with `next`.
  func scanUnsent(timeout: Duration) throws(StoreError) {
    try check(notify_store_scan_unsent(pointer, timeout.milliseconds))
  }

  /// The next item of the stream that was started last; nil after the last one.
  func next(timeout: Duration) throws(StoreError) -> Item? {
    var row = notify_store_row()
    let status = notify_store_next(pointer, timeout.milliseconds, &row)
    if status == NOTIFY_STORE_END { return nil }
    try check(status)
    let data = UnsafeRawBufferPointer(start: row.data, count: row.data == nil ? 0 : row.data_length)
    switch row.kind {
    case NOTIFY_STORE_ROW_SNAPSHOT:
      guard let snapshot = Snapshot(String(decoding: data, as: UTF8.self)) else {
        throw StoreError(.badAnswer, message: "the server's snapshot can't be read")
      }
      return .snapshot(snapshot)
    case NOTIFY_STORE_ROW_REQUEST:
      return .request(index: Int(row.request), isTruncated: row.truncated, hasMore: row.more)
    case NOTIFY_STORE_ROW_UNSENT:
      return .unsent(user: user(of: row), oldest: row.txid, rows: Int(row.id))
    default:
      return .row(
        request: Int(row.request), key: RowKey(txid: row.txid, id: row.id), user: user(of: row),
        createdAt: row.has_created_at ? row.created_at_us : nil, data: data)
    }
  }

  private func user(of row: notify_store_row) -> UserID? {
    guard let start = row.user else { return nil }
    return UserID(String(decoding: UnsafeRawBufferPointer(start: start, count: row.user_length), as: UTF8.self))
  }

  /// What to read for one user.
  struct ReplayQuery {
    var user: Int64
    var lowest: UInt64
    var wantsUnsent: Bool
    var since: Snapshot?
    var sentLimit: Int
    var page: Snapshot?
    var after: RowKey?
  }

  /// Starts to read one page for each query, all under one snapshot; read them with `next`.
  func replay(_ queries: [ReplayQuery], timeout: Duration) throws(StoreError) {
    let since = queries.map { $0.since.flatMap { strdup($0.description) } }
    let pages = queries.map { $0.page.flatMap { strdup($0.description) } }
    defer { (since + pages).forEach { free($0) } }
    let requests = queries.indices.map { index in
      let query = queries[index]
      return notify_store_replay_request(
        user: query.user, lowest_txid: query.lowest, unsent: query.wantsUnsent, since: UnsafePointer(since[index]),
        sent_limit: UInt32(query.sentLimit), snapshot: UnsafePointer(pages[index]),
        after_txid: query.after?.txid ?? 0, after_id: query.after?.id ?? 0)
    }
    try check(
      notify_store_replay(
        pointer, requests, requests.count, UInt32(Limits.replayPageRows), Limits.replayPageBytes, timeout.milliseconds))
  }

  /// What a marking did.
  struct Marking {
    /// How many rows were marked.
    let marked: Int
    /// Indices of rows that are still unsent because somebody holds them locked.
    let left: [Int]
    /// The committed transaction, where anything was marked: it is on disk.
    let transaction: UInt64?
  }

  /// Marks rows sent, in one statement and one synchronous commit.
  func markSent(_ keys: [RowKey], timeout: Duration) throws(StoreError) -> Marking {
    var marked = 0
    var transaction: UInt64 = 0
    var left = Array(repeating: false, count: keys.count)
    try check(
      notify_store_mark_sent(
        pointer, keys.map(\.id), keys.map(\.txid), keys.count, timeout.milliseconds, &marked, &left, &transaction))
    return Marking(
      marked: marked, left: left.indices.filter { left[$0] }, transaction: transaction == 0 ? nil : transaction)
  }

  /// Sets is_read and read_at of rows of these users.
  ///
  /// - Returns: how many rows changed.
  func markRead(_ receipts: [(user: Int64, id: Int64)], timeout: Duration) throws(StoreError) -> Int {
    var updated = 0
    try check(
      notify_store_mark_read(
        pointer, receipts.map(\.id), receipts.map(\.user), receipts.count, timeout.milliseconds, &updated))
    return updated
  }
}
