/// Collects the rows of a chunk in the order of delivery and encodes them, grouped by user.
package struct BatchBuilder: Sendable {
  private struct Row {
    let key: RowKey
    let createdAt: Int64?
    let user: Int
    let payloadEnd: Int
  }

  private var payload: [UInt8] = []
  private var rows: [Row] = []
  /// Each user of the chunk once.
  package private(set) var users: [UserID] = []
  private var indices: [UserID: Int] = [:]
  private var rowsOfUser: [Int] = []
  private let sources: SourceList
  private var encoder: NotificationEncoder

  /// - Parameter sources: the served tables, named in the frames where they are several.
  package init(sources: SourceList) {
    self.init(sources: sources, encoder: NotificationEncoder())
  }

  private init(sources: SourceList, encoder: NotificationEncoder) {
    self.sources = sources
    self.encoder = encoder
  }

  /// Whether the chunk has reached `Limits.batchRows` or `Limits.batchBytes`.
  package var isFull: Bool { rows.count >= Limits.batchRows || payload.count >= Limits.batchBytes }
  package var isEmpty: Bool { rows.isEmpty }
  /// The last row's place in the order of delivery.
  package var lastKey: RowKey? { rows.last?.key }
  /// The rows' keys, in the order of delivery.
  package var keys: some Sequence<RowKey> { rows.lazy.map(\.key) }
  /// Each user of the chunk with its oldest transaction and number of rows.
  package var unsent: [(user: UserID, oldest: UInt64, rows: Int)] {
    var oldest: [UInt64?] = Array(repeating: nil, count: users.count)
    for row in rows where oldest[row.user] == nil { oldest[row.user] = row.key.txid }
    return users.indices.map { (users[$0], oldest[$0] ?? 0, rowsOfUser[$0]) }
  }

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
      rowsOfUser.append(0)
    }
    rowsOfUser[index] += 1
    payload.append(contentsOf: data)
    rows.append(Row(key: key, createdAt: createdAt, user: index, payloadEnd: payload.count))
  }

  /// Encodes the chunk and starts a new one.
  ///
  /// - Parameters:
  ///   - cursor: where the delta or replay ends with this chunk; it stands in each user's last row.
  ///   - wanted: whose rows are encoded, one for each of `users`; nil for all.
  package mutating func finish(
    base: Snapshot, snapshot: Snapshot, cursor: String?, doorbell: ContinuousClock.Instant? = nil,
    wanted: [Bool]? = nil
  ) -> DeliveryBatch {
    var groups: [DeliveryBatch.Group] = []
    groups.reserveCapacity(users.count)
    // Counting sort: stable, so a user's rows keep their order.
    var places: [Int] = []
    places.reserveCapacity(users.count)
    var place = 0
    for (index, user) in users.enumerated() {
      let count = wanted?[index] ?? true ? rowsOfUser[index] : 0
      if count > 0 { groups.append(DeliveryBatch.Group(user: user, frames: place..<(place + count))) }
      places.append(count > 0 ? place : -1)
      place += count
    }
    var order = Array(repeating: 0, count: place)
    for (index, row) in rows.enumerated() where places[row.user] >= 0 {
      order[places[row.user]] = index
      places[row.user] += 1
    }

    var bytes: [UInt8] = []
    bytes.reserveCapacity(place == 0 ? 0 : payload.count + place * 160)
    var frames: [DeliveryBatch.Frame] = []
    frames.reserveCapacity(place)
    let names =
      sources.isNamed
      ? Dictionary(
        uniqueKeysWithValues: sources.sources.compactMap { source in
          sources.jsonName(of: source.number).map { (source.number, $0) }
        }) : [:]
    payload.withUnsafeBytes { payload in
      for group in groups {
        for position in group.frames {
          let index = order[position]
          let row = rows[index]
          let start = index == 0 ? 0 : rows[index - 1].payloadEnd
          encoder.append(
            id: row.key.row.id, source: names.isEmpty ? nil : names[row.key.row.source], createdAt: row.createdAt,
            cursor: position == group.frames.upperBound - 1 ? cursor : nil,
            data: UnsafeRawBufferPointer(rebasing: payload[start..<row.payloadEnd]), to: &bytes)
          let finite = row.createdAt.flatMap { $0 == .max || $0 == .min ? nil : $0 }
          frames.append(DeliveryBatch.Frame(key: row.key, end: bytes.count, createdAt: finite))
        }
      }
    }
    self = BatchBuilder(sources: sources, encoder: encoder)
    return DeliveryBatch(
      bytes: bytes, frames: frames, groups: groups, base: base, snapshot: snapshot, cursor: cursor, doorbell: doorbell)
  }
}
