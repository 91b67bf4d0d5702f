internal import Metrics
internal import NotifyCore

/// What can't be marked: it is set aside and tried again, and everything else goes on.
extension Marker {
  /// The error of a table of which no row can be marked now; nil where its rows can, as far as the table goes.
  private func tableFailure(_ table: TableMapping, ofReceipts: Bool) throws(StoreError) -> StoreError? {
    do throws(StoreError) {
      try database.connection.tryMarking(table, receipts: ofReceipts, timeout: Limits.statementTimeout)
      return nil
    } catch {
      guard error.concernsItems, database.connection.isConnected else { throw error }
      return error
    }
  }

  /// A batch of rows could not be marked.
  func failed(_ batch: MarkQueue.Batch, of table: TableMapping, _ error: StoreError) throws(StoreError) {
    guard error.concernsItems, database.connection.isConnected else { throw error }
    if !batch.isTrial, !queue.isDividing(batch.table), let failure = try tableFailure(table, ofReceipts: false) {
      // Recorded first: where that fails, everything is tried again.
      try quarantine([(.table(batch.table), failure.sqlstate)])
      return queue.tableFailed(batch.table, at: .now)
    }
    var setAside: [PendingMark] = []
    if case .rowSetAside(let mark) = queue.failed(batch, at: .now) { setAside.append(mark) }
    try quarantine(setAside, queue.isPaused(batch.table) ? batch.table : nil, sqlstate: error.sqlstate)
  }

  /// Sets rows aside that are out of the queue, and a table.
  private func quarantine(_ marks: [PendingMark], _ table: Int32?, sqlstate: String) throws(StoreError) {
    var items = marks.map { (item: QuarantineItem.row($0.key), sqlstate: sqlstate) }
    if let table { items.append((.table(table), sqlstate)) }
    do throws(StoreError) {
      try quarantine(items)
    } catch {
      _ = queue.add(marks, at: .now)
      if let table { queue.resume(table) }
      throw error
    }
    for mark in marks { failures.insert(mark) }
  }

  /// Sets rows aside that stay unmarked without an error although nobody holds them: a trigger or a rule keeps them.
  func setAsideUnchanged(_ batch: MarkQueue.Batch, of table: TableMapping) throws(StoreError) {
    let suspects = queue.oftenLeft(batch)
    guard !suspects.isEmpty else { return }
    let unchanged = try database.connection.unlocked(suspects, in: table)
    for mark in unchanged { queue.removeLeft(mark) }
    try quarantine(unchanged, nil, sqlstate: "02000")
  }

  /// Tries rows and tables in quarantine again that are due.
  func retryQuarantined() throws(StoreError) {
    var items: [QuarantineItem]
    var working: [QuarantineItem]
    repeat {
      items = []
      working = []
      do throws(StoreError) {
        items = try database.connection.claimQuarantined(stage: .mark, limit: Limits.quarantineRetries)
      } catch {
        // Without the right to call it there is nothing to retry; `check` names the right.
        guard error.lacksRight, database.connection.isConnected else { throw error }
      }
      for item in items { if try retry(item) { working.append(item) } }
      try release(working)
      // They work again: the rest need not wait.
    } while !signal.isStopped && working.count == Limits.quarantineRetries
  }

  /// - Returns: whether the item works again, or is gone.
  private func retry(_ item: QuarantineItem) throws(StoreError) -> Bool {
    guard let table = mapping(item.table) else { return false }
    guard let key = item.key(table.idKind) else { return try retryTable(table) }
    do throws(StoreError) {
      if key.txid == 0 { return try retryReceipt(key.row) }
      let mark = PendingMark(key: key, user: UserID(0))
      let marking = try database.connection.markSent([mark], in: item.table, timeout: Limits.statementTimeout)
      guard marking.left.isEmpty else { return false }
      recordDurable(marking.transaction)
      metrics.rowsMarked.increment(by: marking.marked)
      if let known = failures.remove(key), marking.marked == 1 { unsent.withLock { $0.remove(known) } }
      return true
    } catch {
      guard error.concernsItems, database.connection.isConnected else { throw error }
      return false
    }
  }

  private func retryTable(_ table: TableMapping) throws(StoreError) -> Bool {
    if queue.isPaused(table.number) || receipts.isPaused(table.number) {
      queue.retry(table.number, at: .now)
      receipts.retry(table.number, at: .now)
      if !isIdleTable(table.number) { return false }
    }
    guard try tableFailure(table, ofReceipts: false) == nil, try tableFailure(table, ofReceipts: true) == nil else {
      return false
    }
    queue.resume(table.number)
    return true
  }

  /// Whether no row or receipt waits that could show whether the table works.
  private func isIdleTable(_ table: Int32) -> Bool {
    queue.next(at: .now)?.table != table && receipts.next(at: .now)?.table != table
  }

  private func retryReceipt(_ row: RowName) throws(StoreError) -> Bool {
    guard let receipt = receipts.deferredReceipt(row) else { return true }
    let updated = try database.connection.markRead([receipt], in: row.table, timeout: Limits.statementTimeout)
    metrics.idsIgnored.increment(by: 1 - min(updated, 1))
    receipts.removeDeferred(row)
    return true
  }

  // MARK: Receipts

  func writeReadReceipts(_ batch: ReceiptQueue.ReceiptBatch) throws(StoreError) {
    guard let table = mapping(batch.table) else {
      if database.missing.contains(batch.table) { return receipts.tableFailed(batch.table, at: .now) }
      metrics.idsIgnored.increment(by: batch.receipts.count)
      return receipts.removed(batch)
    }
    // An id or a user that the table's columns can't hold names no row of it.
    let own = batch.receipts.filter { $0.user.fits(table.recipientKind) && $0.row.id.fits(table.idKind) }
    do throws(StoreError) {
      let updated = try database.connection.markRead(own, in: batch.table, timeout: Limits.statementTimeout)
      let wasPaused = receipts.isPaused(batch.table)
      receipts.removed(batch)
      metrics.idsIgnored.increment(by: max(batch.receipts.count - updated, 0))
      if wasPaused, !queue.isPaused(batch.table) { try release([.table(batch.table)]) }
    } catch {
      try failed(batch, of: table, error)
    }
  }

  private func failed(
    _ batch: ReceiptQueue.ReceiptBatch, of table: TableMapping, _ error: StoreError
  ) throws(StoreError) {
    guard error.concernsItems, database.connection.isConnected else { throw error }
    if !receipts.isDividing(batch.table), let failure = try tableFailure(table, ofReceipts: true) {
      try quarantine([(.table(batch.table), failure.sqlstate)])
      return receipts.tableFailed(batch.table, at: .now)
    }
    guard case .rejected(let receipt, let others) = receipts.failed(batch) else { return }
    metrics.idsIgnored.increment(by: others)
    // An id that the database can't take names no row. Any other failure is the row's, and may pass.
    let names = receipt.row.id.sqlText + receipt.user.text
    guard try database.connection.canEncode(names), receipts.deferReceipt(receipt) else {
      return metrics.idsIgnored.increment()
    }
    do throws(StoreError) {
      try quarantine([(.row(RowKey(txid: 0, row: receipt.row)), error.sqlstate)])
    } catch {
      receipts.removeDeferred(receipt.row)
      _ = receipts.add([receipt])
      throw error
    }
  }
}
