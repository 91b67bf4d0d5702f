import TestSupport
import Testing

@testable import NotifyCore

/// Clients that take less than comes.
extension SessionTests {
  /// A session whose queue takes 100 bytes, and what each row of a delta of its own led to.
  mutating func slow(_ txids: [UInt64], bytes: Int) -> (session: DeliverySession, routings: [DeliverySession.Routing]) {
    limits.queueBytes = 100
    var session = session(.live)
    let routings = txids.map { txid in
      session.route(
        Sample.batch(
          Sample.keys([txid]), base: Snapshot(xmax: txid), snapshot: Snapshot(xmax: txid + 1), bytes: bytes),
        0..<1, limits: limits)
    }
    return (session, routings)
  }

  @Test("An empty queue takes a row of any size; where it is full, the rest is replayed once the queue is empty")
  mutating func fallsBehind() {
    var (session, routings) = slow([200, 201, 202], bytes: 10_000)
    #expect(routings == [.writeAll, .nothing, .nothing])
    #expect(session.phase == .behind && !session.takesCursor)
    let isHalfTaken = session.flushed(bytes: 5_000)
    let isTaken = session.flushed(bytes: session.queuedBytes)
    #expect(!isHalfTaken && isTaken)
    #expect(session.pageFlushed(limits: limits) == .request(.after(Snapshot(xmax: 201))))
    // Held back from here on, and divided by the replay's snapshot.
    limits.queueBytes = 10_000
    let later = Sample.batch(Sample.keys([202, 203]), base: Snapshot(xmax: 202), snapshot: Snapshot(xmax: 204))
    let held = session.route(later, 0..<2, limits: limits)
    #expect(held == .nothing)
    let page = Sample.page([201, 202], snapshot: Snapshot(xmax: 203))
    let opening = session.replayed(page, generation: 0)
    #expect(opening?.established == nil && opening?.rows == FrameSelection(page.batch, 0..<2))
    guard case .writeAndGoLive(let rows, _) = session.pageFlushed(limits: limits) else {
      Issue.record("not live")
      return
    }
    #expect(rows.flatMap(\.keys).map(\.txid) == [203] && session.takesCursor)
  }

  @Test("Rows that were written before, of the same delta or by an earlier replay, are not written again")
  mutating func writtenBefore() {
    limits.queueBytes = 100
    // Its replay saw what is below 100, and row 103, which the delta holds too.
    var session = DeliverySession(acknowledges: false)
    _ = session.replayed(
      Sample.page([103], snapshot: Snapshot(xmax: 104, xip: [100, 101, 102])), generation: 0)
    _ = session.pageFlushed(limits: limits)
    let delta = Sample.batch(
      Sample.keys([100, 102, 103, 110]), base: Snapshot(xmax: 100), snapshot: Snapshot(xmax: 120, xip: [101]),
      bytes: 200)
    let routings = [session.route(delta, 0..<1, limits: limits), session.route(delta, 1..<4, limits: limits)]
    #expect(routings == [.write([0..<1]), .nothing])
    _ = session.flushed(bytes: session.queuedBytes)
    #expect(session.pageFlushed(limits: limits) == .request(.after(Snapshot(xmax: 100))))
    // Row 101 was committed after the delta: it is before the first row left out, and was not written.
    let page = Sample.page([100, 101, 102, 103, 110], snapshot: Snapshot(xmax: 130))
    let opening = session.replayed(page, generation: 0)
    #expect(opening?.rows.keys.map(\.txid) == [101, 102, 110])
  }

  @Test("A client that is too slow for the rows held back falls behind at the first of them")
  mutating func slowDrain() {
    var session = session(.flushingCatchUp)
    limits.catchUpRows = 1
    let routing = session.route(Sample.batch(Sample.keys([300])), 0..<1, limits: limits)
    #expect(routing == .nothing && session.phase == .behind)
    // The piece that was being written.
    #expect(session.pageFlushed(limits: limits) == .request(.after(Snapshot(xmax: 1))))
    let page = Sample.page([90, 200, 201, 202, 300], snapshot: Snapshot(xmax: 1_000))
    let opening = session.replayed(page, generation: 0)
    // Row 200 was in the piece: it is of the same delta, and before the first that was held.
    #expect(opening?.rows.keys.map(\.txid) == [201, 202, 300])
  }

  @Test("A client that was slow keeps no more rows held back than its queue, and catches up again")
  mutating func boundedWhileBehind() {
    var (session, _) = slow([200, 201], bytes: 10_000)
    _ = session.flushed(bytes: session.queuedBytes)
    _ = session.pageFlushed(limits: limits)
    let held = Sample.batch(Sample.keys([300]), base: Snapshot(xmax: 300), bytes: 200)
    _ = session.route(held, 0..<1, limits: limits)
    #expect(session.catchUpBuffer.overflowed)
    _ = session.replayed(Sample.page([201], snapshot: Snapshot(xmax: 250)), generation: 0)
    #expect(session.pageFlushed(limits: limits) == .request(.after(Snapshot(xmax: 250))))
  }

  @Test("Where rows of its delta were routed before, or the database is lost meanwhile, a slow client reconnects")
  mutating func unknownRows() {
    var (session, _) = slow([200], bytes: 10_000)
    let later = Sample.batch(Sample.keys([201]), base: Snapshot(xmax: 201), isExact: false)
    let routing = session.route(later, 0..<1, limits: limits)
    #expect(routing == .close(.tooSlow))
    var behind = self.session(.behind)
    let canGoOn = behind.lower(durable: 1_000)
    #expect(!canGoOn)
    _ = behind.pageFlushed(limits: limits)
    let canGoOnLater = behind.lower(durable: 1_000)
    #expect(!canGoOnLater)
    // What is held is of before the loss.
    var draining = self.session(.flushingCatchUp)
    _ = draining.lower(durable: 1_000)
    limits.catchUpRows = 1
    let drained = draining.route(Sample.batch(Sample.keys([300])), 0..<1, limits: limits)
    #expect(drained == .close(.tooSlow))
  }

  @Test("A delta is exact unless rows were routed before of what it starts from")
  func exact() {
    var reader = DeltaReader(start: Snapshot(xmax: 100))
    func read(upTo txid: UInt64) {
      reader.begin(Snapshot(xmax: 200))
      reader.routed(Sample.keys([txid]), durable: 99)
    }
    #expect(reader.acceptsAll)
    read(upTo: 110)
    #expect(reader.acceptsAll)
    reader.interrupted()
    #expect(!reader.acceptsAll)
    read(upTo: 120)
    reader.finish()
    #expect(reader.acceptsAll)
    reader.connectionLost(durable: 99)
    #expect(!reader.acceptsAll)
    read(upTo: 130)
    reader.finish()
    #expect(reader.acceptsAll)
  }

  @Test("Acknowledgements that are due keep a client that is behind from its replay")
  mutating func behindAndUnacknowledged() {
    limits.queueBytes = 1
    var session = session(.live, acknowledges: true)
    let many = Array(UInt64(200)...UInt64(200 + Limits.unacknowledgedRows / 2))
    for txids in [many, [100_000]] {
      let batch = Sample.batch(Sample.keys(txids), base: Snapshot(xmax: txids[0]))
      _ = session.route(batch, batch.frames.indices, limits: limits)
    }
    _ = session.flushed(bytes: session.queuedBytes)
    #expect(session.pageFlushed(limits: limits) == .nothing)
    let next = session.acknowledged([200], by: Sample.user, limits: limits).next
    #expect(next == .request(.after(Snapshot(xmax: 100_000))))
  }

  @Test("A session whose replay is on its way may lack the rows of a table that can be read again")
  mutating func lacks() {
    var session = session(.behind)
    #expect(!session.lacks([1]))
    _ = session.pageFlushed(limits: limits)
    #expect(session.lacks([1]))
  }

  @Test("Compressed frames count with their size on the socket")
  mutating func slowCompressed() {
    limits.queueBytes = 100
    var session = session(.live)
    let routings = (200..<213).map { txid in
      session.route(
        Sample.batch(Sample.keys([txid]), base: Snapshot(xmax: 100), bytes: 10_000), 0..<1, limits: limits
      ) { _ in 10 }
    }
    #expect(routings == Array(repeating: .writeAll, count: 10) + [.nothing, .nothing, .nothing])
    #expect(session.phase == .behind)
  }
}
