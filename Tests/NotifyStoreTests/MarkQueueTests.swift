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
    let first = queue.next()
    #expect(first?.table == 1 && first?.marks == [mark(7, 1), mark(7, 2), mark(9, 1)])
    if let first { queue.removed(first, at: start) }
    let second = queue.next()
    #expect(second?.table == 2 && second?.marks == [mark(7, 1, table: 2)])
    if let second { queue.removed(second, at: start) }
    #expect(queue.next() == nil && queue.count == 0 && queue.isIdle)
  }

  @Test("A batch has no more rows than one statement marks")
  func size() throws {
    var queue = MarkQueue()
    _ = queue.add((1...Limits.markRows + 1).map { mark(7, Int64($0)) }, at: start)
    let batch = try #require(queue.next())
    #expect(batch.marks.count == Limits.markRows)
    queue.removed(batch, at: start)
    #expect(queue.next()?.marks.count == 1)
  }

  @Test("A row that another session holds locked comes back after a while, or at once when the bridge stops")
  func locked() throws {
    var queue = MarkQueue()
    #expect(queue.lockedWait(at: start) == nil)
    _ = queue.add([mark(7, 1), mark(7, 2)], at: start)
    let batch = try #require(queue.next())
    queue.removed(batch, left: [1], at: start)
    #expect(queue.isIdle && queue.hasLocked && queue.count == 1)
    #expect(queue.isLocked(mark(7, 2)) && !queue.isLocked(mark(7, 1)))
    #expect(queue.lockedWait(at: start) == Limits.markRetry)
    _ = queue.add([], at: start + Limits.markRetry - .milliseconds(1))
    #expect(queue.isIdle)
    _ = queue.add([], at: start + Limits.markRetry)
    #expect(queue.next()?.marks == [mark(7, 2)] && !queue.hasLocked && queue.lockedWait(at: start) == nil)
    queue.removed(try #require(queue.next()), left: [0], at: start)
    queue.retryLocked(at: start)
    _ = queue.add([], at: start)
    #expect(queue.next()?.marks == [mark(7, 2)])
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
