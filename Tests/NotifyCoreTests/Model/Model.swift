import NotifyCore
import TestSupport

/// A rule of `Documentation/architecture.md` or `Documentation/database.md` that the model can leave out: the accounting
/// has to notice.
enum Rule: CaseIterable {
  case joinBeforeReplay, snapshotDivides, cursorVouches, orderByTransaction, markAfterWriting, unsentIsReplayed
  case lowerAfterCrash, dropByKeyAfterCrash, unsentIsCounted, writtenIsKnown, exactBatchesOnly
  case markedMeanwhileIsReplayed
}

/// The bridge's path of rows on real decisions (`DeltaReader`, `DeliverySession`, `Cursor`, `UnsentIndex`) with every wait turned into
/// a step that a seed chooses: deltas fetched early and routed late, given up in the middle, sockets that are slow, or cut
/// between any two messages, kills and crashes.
struct Model {
  /// One socket of a client.
  final class Connection {
    var session = DeliverySession(acknowledges: false)
    let user: UserID
    /// What the kernel has taken.
    var received: [RowKey] = []
    let since: String?
    var page: ReplayPage?
    var asked: ReplayRequest?
    var awaitsWrite = false
    /// Bytes of live rows that the kernel has not taken.
    var queued = 0
    var fellBehind = false
    /// Without a cursor: what was unsent when its replay began. All of it must come.
    var owed: Set<RowKey> = []
    init(user: UserID, since: String?) {
      self.user = user
      self.since = since
    }
  }

  /// A browser: one connection after the other, resuming with the newest cursor.
  final class Client {
    let user: UserID
    /// What it is sent waits for a step of its own.
    let isSlow: Bool
    var connection: Connection?
    var cursor: String?
    /// What each of its connections received.
    var history: [[RowKey]] = []
    /// How many transactions had committed when it last connected without a cursor: it must have all rows since.
    var firstConnect: Int?
    init(user: UserID, isSlow: Bool) {
      self.user = user
      self.isSlow = isSlow
    }
  }

  static let epoch = Epoch(systemIdentifier: 1, timeline: 1)
  let without: Rule?
  var random: SeededGenerator
  var database = ModelDatabase()
  var reader: DeltaReader
  /// Batches on their way, with the snapshots of their deltas.
  var routed: [(batch: DeliveryBatch, snapshot: Snapshot)] = []
  var clients: [Client]
  var written: Set<RowKey> = []
  /// Of a bridge that was just started: not scanned yet.
  var unsent = UnsentIndex(limit: 100)
  /// The newest delta routed as a whole.
  var lastRouted: Snapshot
  var generation: UInt64 = 0
  /// What was on disk at each loss.
  var losses: [UInt64] = []
  let limits: Limits
  /// How often a client that had fallen behind was live again.
  private(set) var recovered = 0
  /// No more accidents.
  private var isSettling = false

  init(seed: UInt64, without: Rule? = nil) {
    self.without = without
    random = SeededGenerator(seed: seed)
    reader = DeltaReader(start: database.snapshot)
    lastRouted = database.snapshot
    clients = (0..<6).map { Client(user: UserID(Int64($0 % 3)), isSlow: $0 % 2 == 1) }
    var limits = Limits()
    limits.catchUpRows = 6
    // Room for nothing behind the first row, or for some, also of those held back.
    limits.queueBytes = seed % 2 == 0 ? 1 : 1_500
    limits.replayRows = 1_000_000
    self.limits = limits
  }

  // MARK: Steps

  mutating func step() {
    let writer = Int.random(in: 0..<5, using: &random)
    let client = clients[Int.random(in: 0..<clients.count, using: &random)]
    switch Int.random(in: 0..<100, using: &random) {
    case 0..<12: if database.open[writer] == nil { database.begin(writer) }
    case 12..<32: database.insert(writer, user: UserID(Int64.random(in: 0..<3, using: &random)))
    case 32..<42: database.commit(writer)
    case 42..<45: database.rollback(writer)
    case 45..<55: fetch()
    case 55..<68: route()
    case 68..<72: if client.connection == nil { connect(client) }
    case 72..<80: replay(client)
    case 80..<88: receive(client)
    case 88..<92: takeSome(client)
    case 92..<94: disconnect(client)
    case 94..<97: mark()
    case 97: if Int.random(in: 0..<4, using: &random) == 0 { kill() } else { scan() }
    default: if Int.random(in: 0..<3, using: &random) == 0 { crash() }
    }
  }

  /// Lets everything settle, so that what is missing is lost and not late.
  mutating func settle() {
    for writer in 0..<5 { database.commit(writer) }
    isSettling = true
    scan()
    for _ in 0..<200 {
      for client in clients where client.connection == nil { connect(client) }
      fetch()
      while !routed.isEmpty { route() }
      for client in clients {
        replay(client)
        receive(client)
        flush(client)
      }
      mark()
    }
  }

  private mutating func fetch() {
    let snapshot = database.snapshot
    let base = reader.previous
    reader.begin(snapshot)
    let rows = database.rows.filter { !base.sees($0.key.txid) && snapshot.sees($0.key.txid) && reader.accepts($0.key) }
    let chunks = Int.random(in: 1...2, using: &random)
    let size = max(1, (rows.count + chunks - 1) / chunks)
    let sorted = inOrder(rows)
    var start = 0
    repeat {
      let end = min(start + size, sorted.count)
      let isLast = end == sorted.count
      // A crash of the database in the middle of a delta, or a statement that fails.
      let accident = isLast || isSettling ? 10 : Int.random(in: 0..<10, using: &random)
      if accident < 4 {
        routeChunk(sorted[start..<end], base: base, snapshot: snapshot, isLast: false)
        if accident == 0 { crash() } else { reader.interrupted() }
        return
      }
      routeChunk(sorted[start..<end], base: base, snapshot: snapshot, isLast: isLast)
      start = end
    } while start < sorted.count
    reader.finish()
    unsent.deltaEnded(xmin: snapshot.xmin)
  }

  private func inOrder(_ rows: [ModelDatabase.Row]) -> [ModelDatabase.Row] {
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

  private func batch(
    _ rows: [ModelDatabase.Row], base: Snapshot, snapshot: Snapshot, isExact: Bool = true, cursor: String?
  ) -> DeliveryBatch {
    var builder = BatchBuilder(catalog: TableCatalog())
    for row in rows {
      builder.add(user: row.user, key: row.key, createdAt: nil, data: UnsafeRawBufferPointer(start: nil, count: 0))
    }
    return builder.finish(base: base, snapshot: snapshot, isExact: isExact, cursor: cursor)
  }

  private mutating func route() {
    guard !routed.isEmpty else { return }
    let (batch, snapshot) = routed.removeFirst()
    if batch.cursor != nil { lastRouted = snapshot }
    for group in batch.groups {
      for client in clients where client.user == group.user {
        guard let connection = client.connection else { continue }
        if without == .joinBeforeReplay, connection.session.phase == .joining { continue }
        switch connection.session.route(batch, group.frames, limits: limits) {
        case .nothing: break
        case .writeAll: write(FrameSelection(batch, group.frames), to: client, countsAsQueued: true)
        case .write(let runs):
          let keys = Set(runs.flatMap { batch.frames[$0].map(\.key) })
          write(FrameSelection(batch, group.frames) { keys.contains($0) }, to: client, countsAsQueued: true)
        case .close: disconnect(client)
        }
        if connection.session.phase == .behind { connection.fellBehind = true }
      }
    }
  }

  private mutating func connect(_ client: Client) {
    // A tab is opened anew.
    if Int.random(in: 0..<4, using: &random) == 0 { client.cursor = nil }
    let connection = Connection(user: client.user, since: client.cursor)
    client.connection = connection
    let asked = request(.connecting(since: client.cursor, routedAtJoin: lastRouted), client)
    var unsent = self.unsent
    if without == .unsentIsCounted {
      unsent = UnsentIndex(limit: 100)
      unsent.scanEnded()
    }
    connection.page = .ofNothingMissed(
      asked, unsent: unsent, epoch: Self.epoch, generation: generation, durable: database.durable)
    if connection.page == nil { connection.asked = asked }
    // Without a cursor nothing is promised of what others were sent before.
    if client.cursor == nil { client.firstConnect = database.rows.map(\.committed).max() ?? 0 }
  }

  private func request(_ wanted: ReplayRequest.Wanted, _ client: Client) -> ReplayRequest {
    ReplayRequest(user: client.user, wanted: wanted, cancellation: ReplayCancellation(), generation: generation)
  }

  /// The statement of a replay runs; its answer is on its way.
  private mutating func replay(_ client: Client) {
    guard let connection = client.connection, let asked = connection.asked, connection.page == nil else { return }
    connection.asked = nil
    let now = database.snapshot
    var since: Snapshot?
    var first = now
    var unsent = without != .unsentIsReplayed
    var after: RowKey?
    var began: Int64?
    var lowest: UInt64 = 0
    let lost = losses.dropFirst(Int(asked.generation)).first
    switch lost.map({ asked.wanted.lowered(durable: $0) }) ?? asked.wanted {
    case .connecting(let text, let routedAtJoin):
      since = routedAtJoin
      if case .cursor(let snapshot) = Cursor.read(text, epoch: Self.epoch) {
        since = snapshot
      } else {
        began = Int64(database.markings)
        connection.owed = Set(
          database.rows.filter { $0.user == client.user && !$0.isSent && now.sees($0.key.txid) }.map(\.key))
      }
      lowest = self.unsent.lowest(client.user)
    case .after(let snapshot):
      since = snapshot
      unsent = false
    case .page(let position):
      (first, since, unsent, after) = (position.snapshot, position.since, position.unsent, position.last)
      began = position.began
    }
    let rows = inOrder(
      database.rows.filter { row in
        row.user == client.user && now.sees(row.key.txid) && first.sees(row.key.txid)
          && (after.map { row.key > $0 } ?? true)
          && ((unsent && !row.isSent && row.key.txid >= lowest) || wasMarked(row, since: began)
            || (since.map { !$0.sees(row.key.txid) } ?? false))
      })
    let page = Array(rows.prefix(4))
    let next = rows.count > page.count ? page.last?.key : nil
    let cursor = Cursor(epoch: Self.epoch, snapshot: first, durable: database.durable).text
    connection.page = ReplayPage(
      batch: batch(
        page, base: first, snapshot: without == .snapshotDivides ? Snapshot(xmax: 1) : first,
        cursor: next == nil || without == .cursorVouches ? cursor : nil),
      truncated: false,
      next: next.map { ReplayPage.Position(snapshot: first, last: $0, since: since, unsent: unsent, began: began) },
      epoch: Self.epoch, generation: generation, durable: database.durable)
  }

  private func wasMarked(_ row: ModelDatabase.Row, since began: Int64?) -> Bool {
    guard let began, let marking = row.marking, without != .markedMeanwhileIsReplayed else { return false }
    return marking > began
  }

  private mutating func receive(_ client: Client) {
    guard let connection = client.connection, let page = connection.page, !connection.awaitsWrite else { return }
    connection.page = nil
    if page.isCutShort(by: generation) { return disconnect(client) }
    guard let opening = connection.session.replayed(page, generation: generation) else { return }
    for notice in [opening.established, opening.truncated] {
      if case .with(let cursor?) = notice { client.cursor = cursor }
    }
    write(opening.rows, to: client, countsAsQueued: false)
    if client.connection != nil { connection.awaitsWrite = true }
  }

  /// A client takes what waits for it, and some of what comes then.
  private mutating func takeSome(_ client: Client) {
    for _ in 0..<Int.random(in: 1...6, using: &random) {
      flush(client)
      replay(client)
      receive(client)
    }
  }

  private mutating func flush(_ client: Client) {
    guard let connection = client.connection else { return }
    if connection.queued > 0 {
      defer { connection.queued = 0 }
      guard connection.session.flushed(bytes: connection.queued) else { return }
    } else {
      guard connection.awaitsWrite else { return }
      connection.awaitsWrite = false
    }
    switch connection.session.pageFlushed(limits: limits) {
    case .nothing: break
    case .close: disconnect(client)
    case .request(let wanted): connection.asked = request(wanted, client)
    case .write(let rows):
      rows.forEach { write($0, to: client, countsAsQueued: false) }
      if client.connection != nil { connection.awaitsWrite = true }
    case .writeAndGoLive(let rows, _):
      if connection.fellBehind { recovered += 1 }
      connection.fellBehind = false
      rows.forEach { write($0, to: client, countsAsQueued: true) }
    }
  }

  /// Writes row by row; the socket may be cut before any of them.
  private mutating func write(_ rows: FrameSelection, to client: Client, countsAsQueued: Bool) {
    guard let connection = client.connection else { return }
    for index in rows.runs.joined() {
      if !isSettling, Int.random(in: 0..<60, using: &random) == 0 {
        disconnect(client)
        return
      }
      let frame = rows.batch.frames[index]
      connection.received.append(frame.key)
      written.insert(frame.key)
      let text = String(decoding: rows.batch.bytes[rows.batch.byteRange(index..<(index + 1))], as: UTF8.self)
      if let cursor = text.firstMatch(of: /"cursor":"([^"]*)"/) { client.cursor = String(cursor.1) }
    }
    if countsAsQueued { connection.queued += rows.bytes }
    if !client.isSlow, connection.queued > 0 { flush(client) }
  }

  private func disconnect(_ client: Client) {
    guard let connection = client.connection else { return }
    client.history.append(connection.received)
    client.connection = nil
  }

  private mutating func mark() {
    let marked = database.rows.filter { written.contains($0.key) && !$0.isSent }
    database.mark(written)
    for row in marked { unsent.remove(PendingMark(key: row.key, user: row.user)) }
    written = []
    reader.forget(upTo: database.durable)
  }

  /// The bridge is killed and started again.
  private mutating func kill() {
    clients.forEach { disconnect($0) }
    routed = []
    written = []
    // A bridge that starts commits a transaction of its own.
    database.mark([])
    reader = DeltaReader(start: database.snapshot)
    lastRouted = database.snapshot
    unsent = UnsentIndex(limit: 100, version: unsent.version + 1)
  }

  /// The table was read for unsent rows.
  private mutating func scan() {
    for row in database.rows where !row.isSent { unsent.add(row.user, oldest: row.key.txid, rows: 1) }
    unsent.scanEnded()
  }

  /// The database crashes; the bridge keeps its sockets.
  private mutating func crash() {
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
    for client in clients where without != .lowerAfterCrash {
      if client.connection?.session.lower(durable: durable) == false { disconnect(client) }
    }
  }
}
