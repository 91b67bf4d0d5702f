import NotifyCore
import TestSupport

/// A rule of `Documentation/architecture.md` or `Documentation/database.md` that the model can leave out: the accounting
/// has to notice.
enum Rule: CaseIterable {
  case joinBeforeReplay, snapshotDivides, cursorVouches, orderByTransaction, markAfterWriting, unsentIsReplayed
  case lowerAfterCrash, dropByKeyAfterCrash, unsentIsCounted, writtenIsKnown, exactBatchesOnly
  case markedMeanwhileIsReplayed
}

/// The bridge's path of rows on real decisions (`DeltaReader`, `DeliverySession`, `Cursor`, `UnsentIndex`) with every wait
/// turned into a step of its own: deltas fetched early and routed late, given up in the middle, sockets that are slow, or
/// cut between any two messages, kills and crashes.
///
/// A value: a copy goes its own way. A seed chooses the steps (`ModelTests`), or all are tried (`Exploration`).
struct Model {
  static let epoch = Epoch(systemIdentifier: 1, timeline: 1)
  let without: Rule?
  var chance: Chance
  var database = ModelDatabase()
  var reader: DeltaReader
  /// Batches on their way, with the snapshots of their deltas.
  var routed: [(batch: DeliveryBatch, snapshot: Snapshot)] = []
  var clients: [ModelClient]
  var written: Set<RowKey> = []
  /// Of a bridge that was just started: not scanned yet.
  var unsent = UnsentIndex(limit: 100)
  /// The newest delta routed as a whole.
  var lastRouted: Snapshot
  var generation: UInt64 = 0
  /// What was on disk at each loss.
  var losses: [UInt64] = []
  let limits: Limits
  /// Rows of a page of a replay.
  let pageRows: Int
  /// How often a client that had fallen behind was live again.
  var recovered = 0
  /// No more accidents.
  var isSettling = false

  init(clients: [ModelClient], limits: Limits, pageRows: Int, chance: Chance, without: Rule?) {
    self.without = without
    self.chance = chance
    self.clients = clients
    self.limits = limits
    self.pageRows = pageRows
    reader = DeltaReader(start: database.snapshot)
    lastRouted = database.snapshot
  }

  // MARK: The rows

  mutating func fetch() {
    let snapshot = database.snapshot
    let base = reader.previous
    reader.begin(snapshot)
    let rows = database.rows.filter { !base.sees($0.key.txid) && snapshot.sees($0.key.txid) && reader.accepts($0.key) }
    let chunks = rows.count > 1 ? 1 + chance.pick(2) : 1
    let size = max(1, (rows.count + chunks - 1) / chunks)
    let sorted = inOrder(rows)
    var start = 0
    repeat {
      let end = min(start + size, sorted.count)
      let isLast = end == sorted.count
      // A crash of the database in the middle of a delta, or a statement that fails.
      let isGivenUp = !isLast && !isSettling && chance.happens(.giveUp, 4, of: 10)
      routeChunk(sorted[start..<end], base: base, snapshot: snapshot, isLast: isLast && !isGivenUp)
      if isGivenUp {
        if chance.happens(.crash, 1, of: 4) { crash() } else { reader.interrupted() }
        return
      }
      start = end
    } while start < sorted.count
    reader.finish()
    unsent.deltaEnded(xmin: snapshot.xmin)
  }

  func inOrder(_ rows: [ModelDatabase.Row]) -> [ModelDatabase.Row] {
    without == .orderByTransaction
      ? rows.sorted { ($0.key.id, $0.key.txid) > ($1.key.id, $1.key.txid) } : rows.sorted { $0.key < $1.key }
  }

  private mutating func routeChunk(
    _ rows: ArraySlice<ModelDatabase.Row>, base: Snapshot, snapshot: Snapshot, isLast: Bool
  ) {
    let cursor = Cursor(epoch: Self.epoch, snapshot: snapshot, durable: database.durable).text
    for row in rows { unsent.add(row.user, oldest: row.key.txid, rows: 1) }
    reader.routed(rows.map(\.key), durable: database.durable)
    let batch = self.batch(
      Array(rows), base: base, snapshot: without == .writtenIsKnown ? base : snapshot,
      isExact: reader.acceptsAll || without == .exactBatchesOnly,
      cursor: isLast || without == .cursorVouches ? cursor : nil)
    routed.append((batch, snapshot))
    if without == .markAfterWriting { written.formUnion(rows.map(\.key)) }
  }

  func batch(
    _ rows: [ModelDatabase.Row], base: Snapshot, snapshot: Snapshot, isExact: Bool = true, cursor: String?
  ) -> DeliveryBatch {
    var builder = BatchBuilder(catalog: TableCatalog())
    for row in rows {
      builder.add(user: row.user, key: row.key, createdAt: nil, data: UnsafeRawBufferPointer(start: nil, count: 0))
    }
    return builder.finish(base: base, snapshot: snapshot, isExact: isExact, cursor: cursor)
  }

  mutating func route() {
    guard !routed.isEmpty else { return }
    let (batch, snapshot) = routed.removeFirst()
    if batch.cursor != nil { lastRouted = snapshot }
    for group in batch.groups {
      for place in clients.indices where clients[place].user == group.user { route(batch, group.frames, to: place) }
    }
  }

  mutating func mark() {
    let marked = database.rows.filter { written.contains($0.key) && !$0.isSent }
    database.mark(written)
    for row in marked { unsent.remove(PendingMark(key: row.key, user: row.user)) }
    written = []
    reader.forget(upTo: database.durable)
  }

  /// The table was read for unsent rows.
  mutating func scan() {
    for row in database.rows where !row.isSent { unsent.add(row.user, oldest: row.key.txid, rows: 1) }
    unsent.scanEnded()
  }

  // MARK: Faults

  /// The bridge is killed and started again.
  mutating func kill() {
    clients.indices.forEach { disconnect($0) }
    routed = []
    written = []
    // A bridge that starts commits a transaction of its own.
    database.mark([])
    reader = DeltaReader(start: database.snapshot)
    lastRouted = database.snapshot
    unsent = UnsentIndex(limit: 100, version: unsent.version + 1)
  }

  /// The database crashes; the bridge keeps its sockets.
  mutating func crash() {
    let durable = database.durable
    database.crash()
    reader.connectionLost(durable: without == .lowerAfterCrash ? UInt64.max - 1 : durable)
    if without == .dropByKeyAfterCrash {
      let previous = reader.previous
      reader = DeltaReader(start: previous)
    }
    generation += 1
    losses.append(durable)
    // What was handed over before is routed before the news arrives.
    while !routed.isEmpty { route() }
    lastRouted = lastRouted.lowered(to: durable + 1)
    for place in clients.indices where without != .lowerAfterCrash { lower(place, durable: durable) }
  }

  // MARK: The end

  /// Lets everything settle, so that what is missing is lost and not late.
  mutating func settle() {
    for writer in database.open.keys.sorted() { database.commit(writer) }
    isSettling = true
    scan()
    for _ in 0..<200 {
      for place in clients.indices where clients[place].connection == nil { connect(place) }
      fetch()
      while !routed.isEmpty { route() }
      for place in clients.indices {
        replay(place)
        receive(place)
        flush(place)
      }
      if isQuiet { break }
      mark()
    }
  }

  /// Nothing is under way.
  var isQuiet: Bool {
    routed.isEmpty && written.isEmpty && reader.previous == database.snapshot && clients.allSatisfy(\.isQuiet)
  }
}
