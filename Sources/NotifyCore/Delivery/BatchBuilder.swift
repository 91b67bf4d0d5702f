/// Collects the rows of a batch in the order of delivery and encodes them, grouped by user.
///
/// Its memory serves one batch after the other: keep the builder.
package struct BatchBuilder: Sendable {
  private struct Row {
    let createdAt: Int64?
    let user: Int
    let payloadEnd: Int
  }

  /// A user's part of the batch.
  package struct Share: Sendable {
    /// The oldest row's transaction.
    package let oldest: UInt64
    package fileprivate(set) var rows: Int
  }

  private var payload: [UInt8] = []
  private var rows: [Row] = []
  /// The rows' keys, in the order of delivery.
  package private(set) var keys: [RowKey] = []
  /// Each user of the batch once.
  package private(set) var users: [UserID] = []
  /// The share of each of `users`.
  package private(set) var shares: [Share] = []
  private var indices: [UserID: Int] = [:]
  private var catalog: TableCatalog
  /// The tables as JSON strings, where frames name them.
  private var names: [Int32: String] = [:]
  private var encoder = NotificationEncoder()
  // Used by `finish` only; kept for their memory.
  private var places: [Int] = []
  private var order: [Int] = []

  /// - Parameter catalog: the served tables, named in the frames where they are several.
  package init(catalog: TableCatalog = TableCatalog()) {
    self.catalog = catalog
    nameTables()
  }

  /// Drops the rows.
  ///
  /// - Parameter catalog: the served tables.
  package mutating func restart(catalog: TableCatalog) {
    forget()
    if catalog == self.catalog { return }
    self.catalog = catalog
    nameTables()
  }

  private mutating func nameTables() {
    names = Dictionary(
      uniqueKeysWithValues: catalog.tables.compactMap { table in
        catalog.jsonName(of: table.number).map { (table.number, $0) }
      })
  }

  private mutating func forget() {
    // The memory of a row of extraordinary size is given back.
    if payload.capacity > 2 * Limits.batchBytes { payload = [] }
    payload.removeAll(keepingCapacity: true)
    rows.removeAll(keepingCapacity: true)
    keys.removeAll(keepingCapacity: true)
    users.removeAll(keepingCapacity: true)
    shares.removeAll(keepingCapacity: true)
    indices.removeAll(keepingCapacity: true)
  }

  /// Whether the batch has reached `Limits.batchRows` or `Limits.batchBytes`.
  package var isFull: Bool { rows.count >= Limits.batchRows || payload.count >= Limits.batchBytes }
  package var isEmpty: Bool { rows.isEmpty }
  /// Bytes of the rows' payloads.
  package var payloadBytes: Int { payload.count }

  /// Adds a row; its bytes are copied.
  ///
  /// - Parameters:
  ///   - createdAt: microseconds since 1970 UTC, nil where the row has none.
  ///   - data: the payload's text, empty for SQL NULL.
  package mutating func add(user: UserID, key: RowKey, createdAt: Int64?, data: UnsafeRawBufferPointer) {
    let index: Int
    if let known = indices[user] {
      index = known
    } else {
      index = users.count
      indices[user] = index
      users.append(user)
      shares.append(Share(oldest: key.txid, rows: 0))
    }
    shares[index].rows += 1
    payload.append(contentsOf: data)
    keys.append(key)
    rows.append(Row(createdAt: createdAt, user: index, payloadEnd: payload.count))
  }

  /// Encodes the batch and starts a new one.
  ///
  /// - Parameters:
  ///   - isExact: see `DeliveryBatch`.
  ///   - isEnd: whether this is the last batch of a delta; nil: where it has a cursor.
  ///   - cursor: the end of the delta or replay, where this is its last batch; it stands in each user's last row.
  ///   - doorbell: when the doorbell rang that led to the batch.
  ///   - loops: the event loops of each of `users`; rows of a user without any are left out. Nil stands for all loops.
  package mutating func finish(
    base: Snapshot, snapshot: Snapshot, isExact: Bool = true, isEnd: Bool? = nil, cursor: String?,
    doorbell: ContinuousClock.Instant? = nil, loops: [LoopSet]? = nil
  ) -> DeliveryBatch {
    let groups = arrange(loops)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(order.isEmpty ? 0 : payload.count + order.count * 160)
    var frames: [DeliveryBatch.Frame] = []
    frames.reserveCapacity(order.count)
    payload.withUnsafeBytes { payload in
      for group in groups {
        for position in group.frames {
          let index = order[position]
          let (key, row) = (keys[index], rows[index])
          let start = index == 0 ? 0 : rows[index - 1].payloadEnd
          encoder.append(
            id: key.row.id, source: names.isEmpty ? nil : names[key.row.table], createdAt: row.createdAt,
            cursor: position == group.frames.upperBound - 1 ? cursor : nil,
            data: UnsafeRawBufferPointer(rebasing: payload[start..<row.payloadEnd]), to: &bytes)
          let finite = row.createdAt.flatMap { $0 == .max || $0 == .min ? nil : $0 }
          frames.append(DeliveryBatch.Frame(key: key, end: bytes.count, createdAt: finite))
        }
      }
    }
    forget()
    return DeliveryBatch(
      bytes: bytes, frames: frames, groups: groups, base: base, snapshot: snapshot, isExact: isExact, isEnd: isEnd,
      cursor: cursor, doorbell: doorbell)
  }

  /// Puts the wanted rows of each user side by side, in `order`: a counting sort, which is stable and keeps their order.
  ///
  /// - Returns: the place of each user's rows.
  private mutating func arrange(_ loops: [LoopSet]?) -> [DeliveryBatch.UserFrames] {
    var groups: [DeliveryBatch.UserFrames] = []
    groups.reserveCapacity(users.count)
    places.removeAll(keepingCapacity: true)
    var place = 0
    for (index, user) in users.enumerated() {
      let loops = loops?[index] ?? .all
      let count = loops.isEmpty ? 0 : shares[index].rows
      if count > 0 {
        groups.append(DeliveryBatch.UserFrames(user: user, frames: place..<(place + count), loops: loops))
      }
      places.append(count > 0 ? place : -1)
      place += count
    }
    order.removeAll(keepingCapacity: true)
    order.append(contentsOf: repeatElement(0, count: place))
    for (index, row) in rows.enumerated() where places[row.user] >= 0 {
      order[places[row.user]] = index
      places[row.user] += 1
    }
    return groups
  }
}
