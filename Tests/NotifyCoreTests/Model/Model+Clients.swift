import NotifyCore

/// One socket of a client.
struct ModelConnection {
  var session = DeliverySession(acknowledges: false)
  /// What the kernel has taken.
  var received: [RowKey] = []
  var page: ReplayPage?
  var asked: ReplayRequest?
  var awaitsWrite = false
  /// Bytes of live rows that the kernel has not taken.
  var queued = 0
  var fellBehind = false
  /// Without a cursor: what was unsent when its replay began. All of it must come.
  var owed: Set<RowKey> = []
  /// What the session was given, which decides its state.
  var inputs = Digest()
}

/// A browser: one connection after the other, resuming with the newest cursor.
struct ModelClient {
  let user: UserID
  /// What it is sent waits for a step of its own.
  let isSlow: Bool
  var connection: ModelConnection?
  var cursor: String?
  /// What each of its connections received.
  var history: [[RowKey]] = []
  /// How many transactions had committed when it last connected without a cursor: it must have all rows since.
  var firstConnect: Int?

  init(user: UserID, isSlow: Bool) {
    self.user = user
    self.isSlow = isSlow
  }

  /// It is live, and nothing is on its way to it.
  var isQuiet: Bool {
    guard let connection else { return false }
    return connection.session.phase == .live && connection.page == nil && connection.asked == nil
      && !connection.awaitsWrite && connection.queued == 0
  }
}

/// The path of rows to the clients of the model.
extension Model {
  mutating func connect(_ place: Int) {
    let client = clients[place]
    // A tab is opened anew.
    let forgets = client.cursor != nil && chance.happens(.forgetCursor, 1, of: 4)
    if forgets { clients[place].cursor = nil }
    let since = clients[place].cursor
    let asked = request(.connecting(since: since, routedAtJoin: lastRouted), client.user)
    var unsent = self.unsent
    if without == .unsentIsCounted {
      unsent = UnsentIndex(limit: 100)
      unsent.scanEnded()
    }
    var connection = ModelConnection()
    connection.page = .ofNothingMissed(
      asked, unsent: unsent, epoch: Self.epoch, generation: generation, durable: database.durable)
    if connection.page == nil { connection.asked = asked }
    connection.inputs.add {
      $0.combine(connection.page == nil)
      $0.combine(generation)
      $0.combine(since)
      lastRouted.feed(&$0)
    }
    if let page = connection.page { connection.inputs.add(page) }
    clients[place].connection = connection
    // Without a cursor nothing is promised of what others were sent before.
    if since == nil { clients[place].firstConnect = database.rows.map(\.committed).max() ?? 0 }
  }

  private func request(_ wanted: ReplayRequest.Wanted, _ user: UserID) -> ReplayRequest {
    ReplayRequest(user: user, wanted: wanted, cancellation: ReplayCancellation(), generation: generation)
  }

  mutating func route(_ batch: DeliveryBatch, _ frames: Range<Int>, to place: Int) {
    guard let phase = clients[place].connection?.session.phase else { return }
    if without == .joinBeforeReplay, phase == .joining { return }
    clients[place].connection?.inputs.add {
      batch.feed(&$0)
      $0.combine(frames)
    }
    switch clients[place].connection?.session.route(batch, frames, limits: limits) {
    case .nothing, nil: break
    case .writeAll: write(FrameSelection(batch, frames), to: place, countsAsQueued: true)
    case .write(let runs):
      let keys = Set(runs.flatMap { batch.frames[$0].map(\.key) })
      write(FrameSelection(batch, frames) { keys.contains($0) }, to: place, countsAsQueued: true)
    case .close: disconnect(place)
    }
    if clients[place].connection?.session.phase == .behind { clients[place].connection?.fellBehind = true }
  }

  /// The statement of a replay runs; its answer is on its way.
  mutating func replay(_ place: Int) {
    let client = clients[place]
    guard let connection = client.connection, let asked = connection.asked, connection.page == nil else { return }
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
        clients[place].connection?.owed = Set(
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
    let taken = Array(rows.prefix(pageRows))
    let next = rows.count > taken.count ? taken.last?.key : nil
    let cursor = Cursor(epoch: Self.epoch, snapshot: first, durable: database.durable).text
    let page = ReplayPage(
      batch: batch(
        taken, base: first, snapshot: without == .snapshotDivides ? Snapshot(xmax: 1) : first,
        cursor: next == nil || without == .cursorVouches ? cursor : nil),
      truncated: false,
      next: next.map { ReplayPage.Position(snapshot: first, last: $0, since: since, unsent: unsent, began: began) },
      epoch: Self.epoch, generation: generation, durable: database.durable)
    clients[place].connection?.asked = nil
    clients[place].connection?.page = page
    clients[place].connection?.inputs.add(page)
  }

  private func wasMarked(_ row: ModelDatabase.Row, since began: Int64?) -> Bool {
    guard let began, let marking = row.marking, without != .markedMeanwhileIsReplayed else { return false }
    return marking > began
  }

  mutating func receive(_ place: Int) {
    guard let connection = clients[place].connection, let page = connection.page, !connection.awaitsWrite else {
      return
    }
    clients[place].connection?.page = nil
    if page.isCutShort(by: generation) { return disconnect(place) }
    clients[place].connection?.inputs.add { $0.combine(generation) }
    guard let opening = clients[place].connection?.session.replayed(page, generation: generation) else { return }
    for notice in [opening.established, opening.truncated] {
      if case .with(let cursor?) = notice { clients[place].cursor = cursor }
    }
    write(opening.rows, to: place, countsAsQueued: false)
    clients[place].connection?.awaitsWrite = true
  }

  /// The kernel takes what waits for a client.
  mutating func flush(_ place: Int) {
    guard let connection = clients[place].connection else { return }
    if connection.queued > 0 {
      clients[place].connection?.queued = 0
      clients[place].connection?.inputs.add { $0.combine(connection.queued) }
      guard clients[place].connection?.session.flushed(bytes: connection.queued) == true else { return }
    } else {
      guard connection.awaitsWrite else { return }
      clients[place].connection?.awaitsWrite = false
    }
    clients[place].connection?.inputs.add { $0.combine(0) }
    switch clients[place].connection?.session.pageFlushed(limits: limits) {
    case .nothing, nil: break
    case .close: disconnect(place)
    case .request(let wanted):
      let asked = request(wanted, clients[place].user)
      clients[place].connection?.asked = asked
      clients[place].connection?.inputs.add { $0.combine(generation) }
    case .write(let rows):
      rows.forEach { write($0, to: place, countsAsQueued: false) }
      clients[place].connection?.awaitsWrite = true
    case .writeAndGoLive(let rows, _):
      if connection.fellBehind { recovered += 1 }
      clients[place].connection?.fellBehind = false
      rows.forEach { write($0, to: place, countsAsQueued: true) }
    }
  }

  /// Writes row by row; the socket may be cut before any of them.
  private mutating func write(_ rows: FrameSelection, to place: Int, countsAsQueued: Bool) {
    guard clients[place].connection != nil else { return }
    for index in rows.runs.joined() {
      if !isSettling, chance.happens(.cut, 1, of: 60) { return disconnect(place) }
      let frame = rows.batch.frames[index]
      clients[place].connection?.received.append(frame.key)
      written.insert(frame.key)
      if let cursor = rows.batch.cursor, rows.batch.carriesCursor(frame: index) { clients[place].cursor = cursor }
    }
    if countsAsQueued { clients[place].connection?.queued += rows.bytes }
    if !clients[place].isSlow, clients[place].connection?.queued ?? 0 > 0 { flush(place) }
  }

  mutating func lower(_ place: Int, durable: UInt64) {
    clients[place].connection?.inputs.add { $0.combine(durable) }
    if clients[place].connection?.session.lower(durable: durable) == false { disconnect(place) }
  }

  mutating func disconnect(_ place: Int) {
    guard let connection = clients[place].connection else { return }
    clients[place].history.append(connection.received)
    clients[place].connection = nil
  }
}

extension DeliveryBatch {
  /// Whether a row's message has the cursor.
  fileprivate func carriesCursor(frame: Int) -> Bool {
    guard let cursor else { return false }
    let field = Array(#","cursor":"\#(cursor)""#.utf8)
    return byteRange(frame..<(frame + 1)).contains { bytes[$0] == field[0] && bytes[$0...].starts(with: field) }
  }
}
