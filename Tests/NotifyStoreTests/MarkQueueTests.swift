import NotifyCore
import Testing

@testable import NotifyStore

@Suite("The queue of rows to be marked")
struct MarkQueueTests {
  let start = ContinuousClock.now

  func mark(_ txid: UInt64, _ id: Int64, table: Int32 = 1) -> PendingMark {
    PendingMark(key: RowKey(txid: txid, row: RowName(table: table, id: .integer(id))), user: UserID(1))
  }

  @Test("A batch has the rows of one table, each once, by transaction and id")
  func batches() {
    var queue = MarkQueue()
    let rows = [mark(9, 1), mark(7, 2), mark(7, 1, table: 2), mark(7, 1), mark(9, 1), mark(7, 2)]
    let dropped = queue.add(rows, at: start)
    #expect(dropped == 0 && queue.count == 6)
    queue.sort()
    #expect(queue.count == 4)
    let first = queue.next(at: start)
    #expect(first?.table == 1 && first?.marks == [mark(7, 1), mark(7, 2), mark(9, 1)])
    if let first { queue.removed(first, at: start) }
    let second = queue.next(at: start)
    #expect(second?.table == 2 && second?.marks == [mark(7, 1, table: 2)])
    if let second { queue.removed(second, at: start) }
    #expect(queue.next(at: start) == nil && queue.count == 0 && queue.isIdle(at: start))
  }

  @Test("A batch has no more rows than one statement marks")
  func size() throws {
    var queue = MarkQueue()
    _ = queue.add((1...Limits.markRows + 1).map { mark(7, Int64($0)) }, at: start)
    let batch = try #require(queue.next(at: start))
    #expect(batch.marks.count == Limits.markRows)
    queue.removed(batch, at: start)
    #expect(queue.next(at: start)?.marks.count == 1)
  }

  @Test("A row that another session holds locked comes back after a while, or at once when the bridge stops")
  func locked() throws {
    var queue = MarkQueue()
    #expect(queue.wait(at: start) == nil)
    _ = queue.add([mark(7, 1), mark(7, 2)], at: start)
    let batch = try #require(queue.next(at: start))
    queue.removed(batch, left: [1], at: start)
    #expect(queue.isIdle(at: start) && queue.hasLocked && queue.count == 1)
    #expect(queue.isLocked(mark(7, 2)) && !queue.isLocked(mark(7, 1)))
    #expect(queue.wait(at: start) == Limits.markRetry)
    _ = queue.add([], at: start + Limits.markRetry - .milliseconds(1))
    #expect(queue.isIdle(at: start))
    _ = queue.add([], at: start + Limits.markRetry)
    #expect(queue.next(at: start)?.marks == [mark(7, 2)] && !queue.hasLocked && queue.wait(at: start) == nil)
    queue.removed(try #require(queue.next(at: start)), left: [0], at: start)
    queue.retryLocked(at: start)
    _ = queue.add([], at: start)
    #expect(queue.next(at: start)?.marks == [mark(7, 2)])
  }

  /// Marks what is in the queue, as a database would in which some rows can't be marked.
  ///
  /// - Returns: the rows set aside, and how many statements it took.
  func run(_ queue: inout MarkQueue, failing: Set<RowKey>) -> (setAside: [PendingMark], statements: Int) {
    var setAside: [PendingMark] = []
    var statements = 0
    queue.sort()
    while let batch = queue.next(at: start) {
      statements += 1
      guard batch.marks.contains(where: { failing.contains($0.key) }) else {
        queue.removed(batch, at: start)
        continue
      }
      if case .rowSetAside(let mark) = queue.failed(batch, at: start) { setAside.append(mark) }
    }
    return (setAside, statements)
  }

  @Test(
    "A row that fails is found among thousands by a few statements, wherever it is", arguments: [1, 700, 1_000, 2_000])
  func division(at place: Int64) {
    var queue = MarkQueue()
    _ = queue.add((1...4_000).map { mark(7, $0) }, at: start)
    let (setAside, statements) = run(&queue, failing: [mark(7, place).key])
    #expect(setAside == [mark(7, place)] && queue.count == 0)
    #expect(statements <= 40)
    #expect(!queue.isPaused(1))
  }

  @Test("Rows that fail among others are all found, and the others are marked")
  func scattered() {
    var queue = MarkQueue()
    let all = (1...2_000).map { mark(7, $0) }
    _ = queue.add(all, at: start)
    let failing = Set(all.indices.filter { $0 % 50 == 3 }.map { all[$0].key })
    let (setAside, statements) = run(&queue, failing: failing)
    #expect(Set(setAside.map(\.key)) == failing && queue.count == 0 && statements < 40 * 20)
  }

  @Test("A table of which every row fails is set aside, and its newest row shows whether it works again")
  func failingTable() throws {
    var queue = MarkQueue()
    let bad = (1...1_000).map { mark(7, $0) }
    _ = queue.add(bad + [mark(8, 1, table: 2)], at: start)
    let (setAside, _) = run(&queue, failing: Set(bad.map(\.key)))
    #expect(setAside.count == Limits.failingRows && queue.isPaused(1) && queue.isDone)
    #expect(queue.count == 1_000 - Limits.failingRows && queue.isIdle(at: start))
    #expect(queue.wait(at: start) == .seconds(1))
    // Rows that come meanwhile wait too; those of other tables don't.
    _ = queue.add([mark(9, 5_000), mark(9, 1, table: 2)], at: start)
    #expect(queue.next(at: start)?.table == 2)
    queue.removed(try #require(queue.next(at: start)), at: start)
    let later = start + .seconds(1)
    let trial = try #require(queue.next(at: later))
    #expect(trial == MarkQueue.Batch(table: 1, marks: [mark(9, 5_000)], isTrial: true))
    #expect(queue.failed(trial, at: later) == .tableSetAside && queue.wait(at: later) == .seconds(2))
    queue.retry(1, at: later)
    queue.removed(try #require(queue.next(at: later)), at: later)
    #expect(!queue.isPaused(1) && queue.next(at: later)?.marks.count == 1_000 - Limits.failingRows)
  }

  @Test("A table that is set aside keeps so many rows, and the oldest beyond are dropped")
  func surplusOfFailingTable() {
    var queue = MarkQueue()
    queue.tableFailed(1, at: start)
    let dropped = queue.add((1...Int64(Limits.pausedMarks) + 5).map { mark(7, $0) }, at: start)
    #expect(dropped == 5 && queue.count == Limits.pausedMarks && queue.isDone)
  }

  @Test("A row that is left without an error again and again becomes a suspect")
  func unchanged() throws {
    var queue = MarkQueue()
    _ = queue.add([mark(7, 1), mark(7, 2)], at: start)
    for attempt in 1...Limits.markTries {
      let batch = try #require(queue.next(at: start))
      queue.removed(batch, left: [batch.marks.count - 1], at: start)
      #expect(queue.oftenLeft(batch) == (attempt < Limits.markTries ? [] : [mark(7, 2)]))
      queue.retryLocked(at: start)
      if attempt < Limits.markTries { _ = queue.add([], at: start) }
    }
    queue.removeLeft(mark(7, 2))
    #expect(queue.count == 0 && queue.isDone)
  }

  @Test("The oldest rows beyond the limit are dropped and counted")
  func surplus() {
    var queue = MarkQueue()
    let row = mark(7, 1)
    let atLimit = queue.add(Array(repeating: row, count: Limits.pendingMarks), at: start)
    let beyond = queue.add([row, mark(8, 2)], at: start)
    #expect(atLimit == 0 && beyond == 2 && queue.count == Limits.pendingMarks)
  }

  @Test("Rows of an older history are dropped once a newer one is reported, and refused after that")
  func history() {
    let first = Epoch(systemIdentifier: 1, timeline: 1)
    let second = Epoch(systemIdentifier: 1, timeline: 2)
    func generation(_ epoch: Epoch, _ number: UInt64) -> GenerationFence.Generation {
      GenerationFence.Generation(epoch: epoch, number: number, durable: 0)
    }
    var rows = PendingRows()
    rows.add([mark(7, 1)], in: nil)
    rows.add([mark(7, 2)], in: generation(first, 1))
    rows.add([ReadReceipt(user: UserID(1), row: mark(7, 1).key.row)], in: generation(first, 2))
    rows.add([mark(7, 3)], in: generation(first, 1))
    #expect(rows.marks == [mark(7, 1), mark(7, 2), mark(7, 3)] && rows.receipts.count == 1)
    rows.add([mark(8, 1)], in: generation(second, 3))
    #expect(rows.marks == [mark(8, 1)] && rows.receipts.isEmpty)
    rows.add([mark(7, 4)], in: generation(first, 2))
    #expect(rows.marks == [mark(8, 1)] && rows.generation == generation(second, 3))
  }
}
