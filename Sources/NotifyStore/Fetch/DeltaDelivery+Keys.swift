internal import Metrics
internal import NotifyCore

/// Reads a delta by its keys in pages, where one statement for all of it fails or takes too long: each row that can't be
/// read is found and set aside, and the others are delivered. What was delivered does not come again.
extension DeltaDelivery {
  private struct KeyedUser {
    let key: RowKey
    let user: UserID
  }

  /// Reads the delta that one statement failed to read.
  func readByKeys(
    _ delta: inout Delta, _ connection: PGConnection, of tables: [TableMapping],
    betweenPages: () throws -> GenerationFence.Generation
  ) async throws {
    // Keys are sorted in the server before the first one comes.
    try connection.deltaKeys(since: delta.base, timeout: Limits.scanTimeout)
    var isFirst = true
    delta.isCounted = true
    while true {
      var page: [KeyedUser] = []
      let items = try readKeys(&page, &delta, connection, isFirst: isFirst)
      isFirst = false
      try await deliverRows(of: page, &delta, connection, of: tables)
      if items < Limits.keysPerPage { break }
      delta.generation = try betweenPages()
      delta.reader.forget(upTo: delta.generation.durable)
    }
    try connection.query("CLOSE notify_store_keys")
  }

  /// Reads the next keys.
  ///
  /// - Returns: how many items came; fewer than `Limits.keysPerPage` are the last ones.
  private func readKeys(
    _ page: inout [KeyedUser], _ delta: inout Delta, _ connection: PGConnection, isFirst: Bool
  ) throws -> Int {
    try connection.fetchKeys(Limits.keysPerPage, timeout: Limits.statementTimeout)
    var items = 0
    var revocations: [Revocation] = []
    if isFirst {
      guard case .snapshot(let snapshot, _) = try connection.next() else {
        throw StoreError(.badAnswer, message: "a delta without a snapshot")
      }
      items += 1
      delta.begin(snapshot, catalog: status.catalog)
    }
    while let item = try connection.next() {
      items += 1
      switch item {
      case .revocation(let revocation):
        // A table that was left out has none of its own.
        if let revocation, delta.limit == nil { revocations.append(revocation) }
      case .row(_, let key, let user, _, _):
        guard delta.accepts(key) else { continue }
        guard let user else {
          metrics.rowsWithoutUser.increment()
          continue
        }
        page.append(KeyedUser(key: key, user: user))
      case .unreadable(_, let key, let sqlstate):
        if delta.accepts(key) { delta.failed.append(FailedRow(key: key, sqlstate: sqlstate)) }
      case .snapshot, .request, .unsent, .gone:
        throw StoreError(.badAnswer, message: "keys with an item of another stream")
      }
    }
    revoke(&revocations)
    return items
  }

  /// Reads and delivers the rows of users with sockets. Nothing is read for others: whoever connects from now on gets them
  /// by the replay, since they are counted before it is asked who has a socket.
  private func deliverRows(
    of keys: [KeyedUser], _ delta: inout Delta, _ connection: PGConnection, of tables: [TableMapping]
  ) async throws {
    unsent.withLock { index in
      for row in keys { index.add(row.user, oldest: row.key.txid, rows: 1) }
    }
    let page = zip(keys, sink.loops(of: keys.map(\.user))).filter { !$0.1.isEmpty }.map(\.0)
    let absent = keys.count - page.count
    delta.fetched.rows += absent
    var rows = KeyedRows(page.map(\.key), connection, of: tables, timeout: rowTimeout)
    while let (index, row) = try rows.next() {
      let (key, user) = (page[index].key, page[index].user)
      switch row {
      case .found(let current, let createdAt, let data):
        // A row that was given to another user since then is a new row.
        guard current == user else {
          unsent.withLock { $0.remove(PendingMark(key: key, user: user)) }
          continue
        }
        if delta.builder.isFull { await deliverBatch(&delta, cursor: nil) }
        delta.add(key, user: user, createdAt: createdAt, data: data)
      case .gone:
        unsent.withLock { $0.remove(PendingMark(key: key, user: user)) }
      case .failed(let sqlstate):
        unsent.withLock { $0.remove(PendingMark(key: key, user: user)) }
        delta.failed.append(FailedRow(key: key, sqlstate: sqlstate))
      }
    }
    // Before the rows behind them are routed: a delta that goes on later does not come back to them.
    try connection.quarantine(delta.failed)
    delta.failed = []
    if absent > 0, let last = keys.last {
      if !delta.builder.isEmpty { await deliverBatch(&delta, cursor: nil) }
      delta.reader.passed(last.key)
    }
  }
}
