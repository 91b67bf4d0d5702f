import NotifyCore
import TestSupport
import Testing

@Suite("A delta reader")
struct DeltaReaderTests {
  func key(_ txid: UInt64, _ id: Int64 = 1) -> RowKey { RowKey(txid: txid, id: id) }

  @Test("A delta starts where the last one ended")
  func advances() {
    var reader = DeltaReader(start: Snapshot(xmax: 10))
    reader.begin(Snapshot(xmax: 20, xip: [15]))
    reader.routed([key(11)], durable: 0)
    reader.finish()
    #expect(reader.previous == Snapshot(xmax: 20, xip: [15]))
  }

  @Test("A delta that was cut starts again from the same snapshot, and leaves out routed rows")
  func cut() {
    var reader = DeltaReader(start: Snapshot(xmax: 10))
    reader.begin(Snapshot(xmax: 20, xip: [12]))
    reader.routed([key(11), key(13)], durable: 100)
    reader.connectionLost(durable: 100)
    #expect(reader.previous == Snapshot(xmax: 10))
    reader.begin(Snapshot(xmax: 30))
    #expect(!reader.accepts(key(11)))
    #expect(!reader.accepts(key(13)))
    #expect(reader.accepts(key(12)))  // was in progress then
    #expect(reader.accepts(key(13, 2)))  // behind the last row routed
    #expect(reader.accepts(key(25)))
    reader.finish()
    #expect(reader.accepts(key(11)))  // forgotten: it can't come again
  }

  @Test("Every cut that got further than a later one is remembered")
  func cuts() {
    var reader = DeltaReader(start: Snapshot(xmax: 10))
    reader.begin(Snapshot(xmax: 20))
    reader.routed([key(11), key(18)], durable: 100)
    reader.connectionLost(durable: 100)
    reader.begin(Snapshot(xmax: 30))
    reader.routed([key(12)], durable: 100)
    reader.connectionLost(durable: 100)
    #expect(!reader.accepts(key(18)))
    #expect(!reader.accepts(key(12)))
  }

  @Test(
    "After a lost connection a snapshot claims nothing above the durable transaction, and routed rows are dropped by key"
  )
  func crash() {
    var reader = DeltaReader(start: Snapshot(xmax: 10))
    reader.begin(Snapshot(xmax: 30))
    reader.routed([key(11), key(25, 7)], durable: 20)
    reader.finish()
    reader.connectionLost(durable: 20)
    #expect(reader.previous == Snapshot(xmax: 21))
    reader.begin(Snapshot(xmax: 28))
    #expect(!reader.accepts(key(25, 7)))  // the same row
    #expect(reader.accepts(key(25, 8)))  // another row under an id that was used again
    #expect(reader.accepts(key(22, 7)))
  }

  @Test("Rows dropped after one crash are dropped after a second in a row")
  func twoCrashes() {
    var reader = DeltaReader(start: Snapshot(xmax: 10))
    reader.begin(Snapshot(xmax: 30))
    reader.routed([key(25)], durable: 20)
    reader.finish()
    reader.connectionLost(durable: 20)
    reader.begin(Snapshot(xmax: 28))
    reader.connectionLost(durable: 27)  // marked meanwhile, and still nothing was read to its end
    #expect(!reader.accepts(key(25)))
  }

  @Test("Rows that a second crash brings back are dropped although a delta was read whole in between")
  func crashAfterRecovery() {
    var reader = DeltaReader(start: Snapshot(xmax: 10))
    reader.begin(Snapshot(xmax: 30))
    reader.routed([key(25)], durable: 20)
    reader.finish()
    for _ in 0..<2 {
      reader.connectionLost(durable: 20)
      #expect(!reader.accepts(key(25)))
      reader.begin(Snapshot(xmax: 28))
      reader.finish()
    }
  }

  @Test("Routed rows are forgotten once their transactions are on disk")
  func forgets() {
    var reader = DeltaReader(start: Snapshot(xmax: 10))
    reader.begin(Snapshot(xmax: 30))
    reader.routed((11..<21).map { key($0) }, durable: 10)
    reader.finish()
    #expect(reader.remembered == 10)
    reader.forget(upTo: 15)
    #expect(reader.remembered == 5)
  }
}

@Suite("The index of unsent rows")
struct UnsentIndexTests {
  let user = UserID(1)
  func row(_ txid: UInt64) -> PendingMark { PendingMark(key: RowKey(txid: txid, id: 1), user: user) }

  @Test("The index bounds no look-up before the scan has ended")
  func beforeScan() {
    var index = UnsentIndex(limit: 10)
    index.deltaEnded(xmin: 50)
    #expect(index.lowest(user) == 0)
    index.scanEnded()
    #expect(index.lowest(user) == 50)
  }

  @Test("The index points to a user's oldest unsent row until all are marked")
  func oldest() {
    var index = UnsentIndex(limit: 10)
    index.scanEnded()
    index.add(user, oldest: 20, rows: 2)
    index.deltaEnded(xmin: 60)
    #expect(index.lowest(user) == 20)
    index.remove(row(20))
    #expect(index.lowest(user) == 20)
    index.remove(row(21))
    #expect(index.lowest(user) == 60)
    #expect(index.users == 0)
  }

  @Test("The index does not count off a row that it never counted")
  func uncounted() {
    var index = UnsentIndex(limit: 10)
    index.add(user, oldest: 20, rows: 1)
    index.remove(row(5))
    index.scanEnded()
    #expect(index.lowest(user) == 20)
  }

  @Test("The index bounds no look-up once more users have unsent rows than its limit")
  func overLimit() {
    var index = UnsentIndex(limit: 1)
    index.scanEnded()
    index.add(user, oldest: 20, rows: 1)
    index.add(UserID(2), oldest: 30, rows: 1)
    #expect(!index.isComplete)
    #expect(index.lowest(UserID(2)) == 0)
    #expect(index.lowest(user) == 0)
  }
}

@Suite("A batch")
struct BatchTests {
  @Test("A batch holds each user's rows with their event loops, and none of users without a loop")
  func wanted() {
    let snapshot = Snapshot(xmax: 20)
    let cases: [[Bool]?] = [
      nil, [true, true, true], [true, false, true], [false, true, false], [false, false, false],
    ]
    for wanted in cases {
      let loops = wanted?.enumerated().map { $0.element ? LoopSet(loop: $0.offset) : .none }
      var builder = BatchBuilder(catalog: TableCatalog())
      for (id, user) in [1, 2, 1, 3, 2, 1].enumerated() {
        builder.add(
          user: UserID(Int64(user)), key: RowKey(txid: 10, id: Int64(id)), createdAt: nil,
          data: UnsafeRawBufferPointer(start: nil, count: 0))
      }
      #expect(builder.users.map(\.text) == ["1", "2", "3"])
      #expect(builder.keys.map(\.id) == [0, 1, 2, 3, 4, 5])
      let batch = builder.finish(base: snapshot, snapshot: snapshot, cursor: "c", loops: loops)
      let all: [(user: String, ids: [Int64])] = [("1", [0, 2, 5]), ("2", [1, 4]), ("3", [3])]
      let expected = zip(all, wanted ?? [true, true, true]).filter(\.1).map(\.0)
      #expect(batch.groups.map(\.user.text) == expected.map(\.user))
      #expect(batch.groups.map { batch.frames[$0.frames].map(\.key.id) } == expected.map(\.ids))
      #expect(batch.groups.map(\.loops) == (loops?.filter { !$0.isEmpty } ?? [.all, .all, .all]))
      #expect(batch.frames.last?.end ?? 0 == batch.bytes.count)
    }
  }
}

@Suite("The backoff")
struct BackoffTests {
  @Test("The first attempt follows at once, later ones after up to three seconds, and a success starts over")
  func steps() {
    var backoff = Backoff()
    let waits = (0..<21).map { _ in backoff.next(jitter: 0.999) }
    #expect(waits[0] == .zero)
    #expect(zip(waits, waits.dropFirst()).allSatisfy { $0 <= $1 && $1 <= Backoff.cap })
    #expect(waits[20] > .milliseconds(2_900))
    let halved = backoff.next(jitter: 0)
    #expect(halved == .milliseconds(1_500))
    backoff.reset()
    let first = backoff.next(jitter: 0.5)
    #expect(first == .zero)
  }
}

@Suite("The status")
struct BridgeStatusTests {
  let start = ContinuousClock.now

  @Test("The status names each failing part, and none when all is well")
  func parts() {
    let status = BridgeStatus()
    #expect(status.failing(at: start).map(\.part) == ["database", "listening"])
    status.listening(at: start)
    #expect(status.failing(at: start).isEmpty)
    status.databaseLost("gone")
    #expect(status.failing(at: start).first?.reason == "gone")
    status.listening(at: start)
    status.draining()
    #expect(status.failing(at: start).map(\.part) == ["draining"])
  }

  @Test("A database that has not answered for five seconds is away")
  func silence() {
    let status = BridgeStatus()
    status.listening(at: start)
    #expect(status.failing(at: start + .seconds(4)).isEmpty)
    #expect(status.failing(at: start + .seconds(5)).map(\.part) == ["database"])
    status.databaseAnswered(at: start + .seconds(5))
    #expect(status.failing(at: start + .seconds(6)).isEmpty)
  }
}

@Suite("A connection that has missed nothing")
struct NothingMissedTests {
  private let joined = Snapshot(xmax: 100, xip: [97])

  private func page(
    _ wanted: ReplayRequest.Wanted, unsent: UnsentIndex, askedIn generation: UInt64 = 3
  ) -> ReplayPage? {
    ReplayPage.ofNothingMissed(
      ReplayRequest(user: UserID(1), wanted: wanted, cancellation: ReplayCancellation(), generation: generation),
      unsent: unsent,
      epoch: Epoch(systemIdentifier: 1, timeline: 1), generation: 3, durable: 99)
  }

  @Test("A connection that has missed nothing gets an empty page under the newest delta routed when it joined")
  func empty() throws {
    var unsent = UnsentIndex(limit: 10)
    unsent.add(UserID(2), oldest: 5, rows: 1)
    unsent.scanEnded()
    let found = try #require(page(.connecting(since: nil, routedAtJoin: joined), unsent: unsent))
    #expect(found.batch.frames.isEmpty && found.next == nil && !found.truncated)
    #expect(found.batch.snapshot == joined && found.generation == 3 && found.durable == 99)
    #expect(Cursor.read(found.batch.cursor, epoch: found.epoch) == .cursor(joined))
  }

  @Test(
    "The empty page is given only to a user without unsent rows, after the scan, without a cursor, and since the last loss"
  )
  func unknown() {
    var unsent = UnsentIndex(limit: 10)
    #expect(page(.connecting(since: nil, routedAtJoin: joined), unsent: unsent) == nil)
    unsent.scanEnded()
    #expect(page(.connecting(since: nil, routedAtJoin: nil), unsent: unsent) == nil)
    #expect(page(.connecting(since: "c", routedAtJoin: joined), unsent: unsent) == nil)
    #expect(page(.after(joined), unsent: unsent) == nil)
    #expect(page(.connecting(since: nil, routedAtJoin: joined), unsent: unsent, askedIn: 2) == nil)
    unsent.add(UserID(1), oldest: 5, rows: 1)
    #expect(page(.connecting(since: nil, routedAtJoin: joined), unsent: unsent) == nil)
  }
}
