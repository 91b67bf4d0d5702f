import NotifyCore
import TestSupport
import Testing

/// Batches and pages for tests, made as the store makes them.
enum Sample {
  static let user = UserID(1)

  static func batch(
    _ keys: [RowKey], base: Snapshot = Snapshot(xmax: 1), snapshot: Snapshot = Snapshot(xmax: 1_000), bytes: Int = 2,
    isExact: Bool = true, cursor: String? = nil
  ) -> DeliveryBatch {
    var builder = BatchBuilder(catalog: TableCatalog())
    let data = Array(repeating: UInt8(ascii: "1"), count: bytes)
    for key in keys {
      data.withUnsafeBytes { builder.add(user: user, key: key, createdAt: nil, data: $0) }
    }
    return builder.finish(base: base, snapshot: snapshot, isExact: isExact, cursor: cursor)
  }

  static func keys(_ txids: [UInt64]) -> [RowKey] { txids.map { RowKey(txid: $0, id: Int64($0)) } }

  static func page(
    _ txids: [UInt64], snapshot: Snapshot, since: Snapshot? = nil, truncated: Bool = false, hasMore: Bool = false,
    generation: UInt64 = 0, durable: UInt64 = 1_000_000
  ) -> ReplayPage {
    let rows = keys(txids)
    let next = hasMore ? rows.last : nil
    return ReplayPage(
      batch: batch(rows, base: snapshot, snapshot: snapshot, cursor: next == nil ? "c.1" : nil), truncated: truncated,
      next: next.map { ReplayPage.Position(snapshot: snapshot, last: $0, since: since, unsent: true) },
      epoch: Epoch(systemIdentifier: 1, timeline: 1), generation: generation, durable: durable)
  }
}

@Suite("A delivery session decides for each row")
struct SessionTests {
  var limits = Limits()

  /// A session brought to a phase by real inputs; its replay's snapshot sees everything below 100.
  func session(_ phase: DeliverySession.Phase, acknowledges: Bool = false) -> DeliverySession {
    var session = DeliverySession(acknowledges: acknowledges)
    if phase == .joining { return session }
    if phase == .closed {
      session.close()
      return session
    }
    if phase == .flushingCatchUp {
      // More than one piece is held back, so that flushing takes several writes.
      for txid in UInt64(200)..<203 {
        let large = Sample.batch([RowKey(txid: txid, id: 1)], bytes: Int(Limits.replayPageBytes))
        _ = session.route(large, 0..<1, limits: limits)
      }
    }
    _ = session.replayed(Sample.page([], snapshot: Snapshot(xmax: 100)), generation: 0)
    if phase == .replaying { return session }
    _ = session.pageFlushed(limits: limits)
    if phase == .behind {
      var limits = limits
      limits.queueBytes = 1
      for txid in UInt64(190)..<192 { _ = session.route(Sample.batch(Sample.keys([txid])), 0..<1, limits: limits) }
    }
    return session
  }

  @Test("A session reaches every phase", arguments: DeliverySession.Phase.allCases)
  func reachable(phase: DeliverySession.Phase) {
    #expect(session(phase).phase == phase)
  }

  @Test("A session routes rows by its phase", arguments: DeliverySession.Phase.allCases)
  func routing(phase: DeliverySession.Phase) {
    var session = session(phase)
    let routing = session.route(Sample.batch(Sample.keys([150])), 0..<1, limits: limits)
    #expect(routing == (phase == .live ? .write([0..<1]) : .nothing))
    #expect(session.phase == phase)
  }

  @Test("A session takes a page only while it catches up", arguments: DeliverySession.Phase.allCases)
  func pages(phase: DeliverySession.Phase) {
    var session = session(phase)
    let opening = session.replayed(Sample.page([50], snapshot: Snapshot(xmax: 100)), generation: 0)
    #expect((opening != nil) == (phase == .joining || phase == .replaying))
  }

  @Test("A session has nothing to write after a flush unless it catches up", arguments: DeliverySession.Phase.allCases)
  func written(phase: DeliverySession.Phase) {
    var session = session(phase)
    switch (phase, session.pageFlushed(limits: limits)) {
    case (.joining, .nothing), (.live, .nothing), (.closed, .nothing): break
    case (.replaying, .writeAndGoLive(let rows, 0)): #expect(rows.isEmpty && session.phase == .live)
    case (.flushingCatchUp, .write(let rows)): #expect(rows.count == 1 && session.phase == .flushingCatchUp)
    case (.behind, .request(.after(let base))): #expect(base == Snapshot(xmax: 1) && session.phase == .replaying)
    case (_, let next): Issue.record("\(phase): \(next)")
    }
  }

  @Test("A closed session stays closed")
  func closed() {
    var session = session(.closed)
    _ = session.lower(durable: 5)
    _ = session.acknowledged([1], by: Sample.user, limits: limits)
    session.close()
    #expect(session.phase == .closed && !session.takesCursor)
  }

  @Test("Rows that the replay's snapshot sees are left out, also after going live")
  func divides() {
    var session = session(.live)
    let batch = Sample.batch(Sample.keys([90, 99, 100, 110]))
    let routing = session.route(batch, 0..<4, limits: limits)
    #expect(routing == .write([2..<4]))
  }

  @Test("Rows go out as one piece once deltas have passed the replay's snapshot")
  func settles() {
    var session = session(.live)
    let later = Sample.batch(Sample.keys([120, 121]), base: Snapshot(xmax: 100))
    let routing = session.route(later, 0..<2, limits: limits)
    #expect(routing == .writeAll)
  }

  @Test("Rows held back are flushed without the replayed ones, then the session is live")
  func flushesCatchUp() {
    var session = DeliverySession(acknowledges: false)
    _ = session.route(Sample.batch(Sample.keys([99, 100])), 0..<2, limits: limits)
    _ = session.route(Sample.batch(Sample.keys([101])), 0..<1, limits: limits)
    _ = session.replayed(Sample.page([99], snapshot: Snapshot(xmax: 100)), generation: 0)
    guard case .writeAndGoLive(let rows, let bytes) = session.pageFlushed(limits: limits) else {
      Issue.record("not live")
      return
    }
    #expect(rows.flatMap(\.keys).map(\.txid) == [100, 101])
    #expect(session.queuedBytes == bytes && bytes > 0)
    _ = session.flushed(bytes: bytes)
    #expect(session.queuedBytes == 0 && session.takesCursor)
  }

  @Test("Only the last message of a replay has a cursor")
  func cursors() throws {
    let snapshot = Snapshot(xmax: 100)
    func opening(_ page: ReplayPage) throws -> DeliverySession.Opening {
      var session = DeliverySession(acknowledges: false)
      let opening = session.replayed(page, generation: 0)
      return try #require(opening)
    }
    let empty = try opening(Sample.page([], snapshot: snapshot))
    #expect(empty.established == .with(cursor: "c.1") && empty.truncated == nil)
    let rows = try opening(Sample.page([50], snapshot: snapshot))
    #expect(rows.established == .with(cursor: nil))
    let truncated = try opening(Sample.page([], snapshot: snapshot, truncated: true))
    #expect(truncated.established == .with(cursor: nil) && truncated.truncated == .with(cursor: "c.1"))
    let both = try opening(Sample.page([50], snapshot: snapshot, truncated: true))
    #expect(both.truncated == .with(cursor: nil))
  }

  @Test("A session requests page after page, establishes once, and divides by the first page's snapshot")
  func paging() {
    var session = DeliverySession(acknowledges: false)
    let first = Sample.page([50], snapshot: Snapshot(xmax: 100), hasMore: true)
    let opening = session.replayed(first, generation: 0)
    #expect(opening?.established != nil)
    guard case .request(.page(let position)) = session.pageFlushed(limits: limits) else {
      Issue.record("no further page asked for")
      return
    }
    #expect(position.last.txid == 50)
    let second = Sample.page([60], snapshot: Snapshot(xmax: 100))
    let following = session.replayed(second, generation: 0)
    #expect(following != nil && following?.established == nil)
    guard case .writeAndGoLive = session.pageFlushed(limits: limits) else {
      Issue.record("not live")
      return
    }
  }

  @Test("A session with too many rows held back catches up again from its replay's snapshot")
  mutating func overflow() {
    limits.catchUpRows = 2
    var session = DeliverySession(acknowledges: false)
    for txid in UInt64(100)..<104 { _ = session.route(Sample.batch(Sample.keys([txid])), 0..<1, limits: limits) }
    _ = session.replayed(Sample.page([50], snapshot: Snapshot(xmax: 100)), generation: 0)
    guard case .request(.after(let snapshot)) = session.pageFlushed(limits: limits) else {
      Issue.record("did not catch up again")
      return
    }
    #expect(snapshot == Snapshot(xmax: 100))
    // Held back from here on, and divided by the new snapshot.
    _ = session.route(Sample.batch(Sample.keys([103, 110])), 0..<2, limits: limits)
    _ = session.replayed(Sample.page([100, 101, 102, 103], snapshot: Snapshot(xmax: 104)), generation: 0)
    guard case .writeAndGoLive(let rows, _) = session.pageFlushed(limits: limits) else {
      Issue.record("not live")
      return
    }
    #expect(rows.flatMap(\.keys).map(\.txid) == [110])
  }

  @Test("After a crash a row with a reused id goes out, and the replayed one does not")
  func crash() {
    var session = DeliverySession(acknowledges: false)
    let page = Sample.page([90, 95], snapshot: Snapshot(xmax: 100), durable: 92)
    _ = session.replayed(page, generation: 0)
    _ = session.pageFlushed(limits: limits)
    _ = session.lower(durable: 92)
    let reused = RowKey(txid: 95, id: 7)
    let routing = session.route(Sample.batch(Sample.keys([95]) + [reused]), 0..<2, limits: limits)
    #expect(routing == .write([1..<2]))
  }

  @Test("After a crash replayed rows are remembered until a delta has passed them")
  func settlesAfterCrash() {
    var session = DeliverySession(acknowledges: false)
    _ = session.replayed(Sample.page([95], snapshot: Snapshot(xmax: 100), durable: 92), generation: 0)
    _ = session.pageFlushed(limits: limits)
    _ = session.lower(durable: 92)
    // The first delta after the crash starts from the lowered snapshot, and holds the replayed row once more.
    let routing = session.route(
      Sample.batch(Sample.keys([95, 96]), base: Snapshot(xmax: 93)), 0..<2, limits: limits)
    #expect(routing == .write([1..<2]))
  }

  @Test("A replay's further pages are not read after a loss in whose course ids may have been given again")
  func pagesAfterLoss() {
    let first = Sample.page(
      [50], snapshot: Snapshot(xmax: 100), since: Snapshot(xmax: 98), hasMore: true, durable: 92)
    for isRequested in [false, true] {
      var session = DeliverySession(acknowledges: false)
      _ = session.replayed(first, generation: 0)
      if isRequested { _ = session.pageFlushed(limits: limits) }
      let goesOn = session.lower(durable: 98)
      #expect(!goesOn)
      let goesOnWhereNoneWas = session.lower(durable: 99)
      #expect(goesOnWhereNoneWas)
    }
    #expect(first.isCutShort(by: 1) && !first.isCutShort(by: 0))
    #expect(!Sample.page([50], snapshot: Snapshot(xmax: 100), durable: 92).isCutShort(by: 1))
    // The last page needs none behind it.
    var session = DeliverySession(acknowledges: false)
    _ = session.replayed(first, generation: 0)
    _ = session.replayed(Sample.page([60], snapshot: Snapshot(xmax: 100), durable: 92), generation: 0)
    let goesOn = session.lower(durable: 92)
    #expect(goesOn)
  }

  @Test("A page read before one or more crashes is lowered when it comes")
  func latePage() {
    var session = DeliverySession(acknowledges: false)
    _ = session.replayed(
      Sample.page([], snapshot: Snapshot(xmax: 100), generation: 0, durable: 92), generation: 3)
    _ = session.pageFlushed(limits: limits)
    let routing = session.route(Sample.batch(Sample.keys([95])), 0..<1, limits: limits)
    #expect(routing == .write([0..<1]))
  }

  @Test("An acknowledgement counts once, and only for rows sent on this connection")
  func acknowledges() {
    var session = session(.live, acknowledges: true)
    _ = session.route(Sample.batch(Sample.keys([150])), 0..<1, limits: limits)
    let first = session.acknowledged([150, 151], by: Sample.user, limits: limits).marks
    let second = session.acknowledged([150], by: Sample.user, limits: limits).marks
    #expect(first == [PendingMark(key: Sample.keys([150])[0], user: Sample.user)] && second.isEmpty)
  }

  @Test("Further pages wait for a client with many acknowledgements due")
  func pacedByAcknowledgements() {
    var session = DeliverySession(acknowledges: true)
    let many = Array(UInt64(1)...UInt64(Limits.unacknowledgedRows / 2 + 1))
    _ = session.replayed(
      Sample.page(many, snapshot: Snapshot(xmax: 100_000), hasMore: true), generation: 0)
    guard case .nothing = session.pageFlushed(limits: limits) else {
      Issue.record("did not wait")
      return
    }
    guard case .request(.page) = session.acknowledged([1], by: Sample.user, limits: limits).next else {
      Issue.record("did not go on")
      return
    }
  }
}

@Suite("A batch builder encodes rows by user")
struct BatchBuilderTests {
  @Test("A batch has each user's frames side by side in order of delivery, the cursor in the last of each")
  func grouping() throws {
    var builder = BatchBuilder(catalog: TableCatalog())
    let rows: [(Int64, UInt64)] = [(1, 10), (2, 10), (1, 11), (3, 12), (2, 13), (1, 14)]
    for (index, row) in rows.enumerated() {
      Array("\"p\(index)\"".utf8).withUnsafeBytes {
        builder.add(user: UserID(row.0), key: RowKey(txid: row.1, id: Int64(index)), createdAt: 5, data: $0)
      }
    }
    #expect(builder.shares.map(\.oldest) == [10, 10, 12] && builder.shares.map(\.rows) == [3, 2, 1])
    let batch = builder.finish(base: Snapshot(xmax: 1), snapshot: Snapshot(xmax: 20), cursor: "c.9")
    #expect(builder.isEmpty)
    #expect(batch.groups.map(\.user) == [UserID(1), UserID(2), UserID(3)])
    for group in batch.groups {
      let expected = rows.enumerated().filter { UserID($1.0) == group.user }.map { Int64($0.offset) }
      #expect(batch.frames[group.frames].map(\.key.id) == expected)
      for index in group.frames {
        let text = String(decoding: batch.bytes[batch.byteRange(index..<(index + 1))].dropFirst(2), as: UTF8.self)
        #expect(text.hasPrefix(#"{"type":"notification","id":\#(batch.frames[index].key.id),"#))
        #expect(text.hasSuffix(#""data":"p\#(batch.frames[index].key.id)"}"#))
        #expect(text.contains("c.9") == (index == group.frames.upperBound - 1))
      }
    }
    #expect(batch.byteRange(batch.frames.indices) == 0..<batch.bytes.count)
  }

  @Test("A restarted builder keeps nothing of the batch before it, nor of the tables served then")
  func restart() {
    let one = TableCatalog([.init(number: 1, name: "a", recipientKind: .integer)])
    let two = TableCatalog(one.tables + [.init(number: 2, name: "b", recipientKind: .integer)])
    func fill(_ builder: inout BatchBuilder, users: [Int64]) {
      for user in users {
        builder.add(
          user: UserID(user), key: RowKey(txid: 5, id: user), createdAt: nil,
          data: UnsafeRawBufferPointer(start: nil, count: 0))
      }
    }
    func finished(_ builder: inout BatchBuilder) -> DeliveryBatch {
      builder.finish(base: Snapshot(xmax: 1), snapshot: Snapshot(xmax: 20), cursor: "c.9")
    }
    var used = BatchBuilder(catalog: one)
    fill(&used, users: [1, 2, 3, 2])
    _ = finished(&used)
    fill(&used, users: [7, 8])
    // Given up half-way.
    used.restart(catalog: two)
    #expect(used.isEmpty && used.users.isEmpty)
    for users in [[2, 9], [], [1]] as [[Int64]] {
      var new = BatchBuilder(catalog: two)
      fill(&used, users: users)
      fill(&new, users: users)
      let (of, expected) = (finished(&used), finished(&new))
      #expect(of.bytes == expected.bytes && of.frames == expected.frames && of.groups == expected.groups)
    }
    used.restart(catalog: one)
    fill(&used, users: [1])
    #expect(!String(decoding: finished(&used).bytes, as: UTF8.self).contains("source"))
  }

  @Test("A batch is full at its limit of rows or bytes")
  func limits() {
    var builder = BatchBuilder(catalog: TableCatalog())
    let data = Array(repeating: UInt8(ascii: "1"), count: Limits.batchBytes)
    data.withUnsafeBytes { builder.add(user: UserID(1), key: RowKey(txid: 1, id: 1), createdAt: nil, data: $0) }
    #expect(builder.isFull)
  }
}
