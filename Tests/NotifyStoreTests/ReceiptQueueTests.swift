import NotifyCore
import Testing

@testable import NotifyStore

@Suite("The queue of read receipts")
struct ReceiptQueueTests {
  let start = ContinuousClock.now

  func receipt(_ user: Int64, _ id: Int64, table: Int32 = 1) -> ReadReceipt {
    ReadReceipt(user: UserID(user), row: RowName(table: table, id: .integer(id)))
  }

  /// Writes what is in the queue, as a database would in which some receipts fail.
  func run(
    _ queue: inout ReceiptQueue, failing: (ReadReceipt) -> Bool
  ) -> (written: [ReadReceipt], rejected: [ReadReceipt], others: Int, statements: Int) {
    var result: (written: [ReadReceipt], rejected: [ReadReceipt], others: Int, statements: Int) = ([], [], 0, 0)
    while let batch = queue.next(at: start) {
      result.statements += 1
      guard batch.receipts.contains(where: failing) else {
        result.written += batch.receipts
        queue.removed(batch)
        continue
      }
      if case .rejected(let receipt, let others) = queue.failed(batch) {
        result.rejected.append(receipt)
        result.others += others
      }
    }
    return result
  }

  @Test("A receipt that fails is found among others, which are written")
  func division() {
    var queue = ReceiptQueue()
    let dropped = queue.add((1...1_000).map { receipt($0, $0) } + [receipt(1, 1, table: 2)])
    #expect(dropped == 0)
    let outcome = run(&queue) { $0 == receipt(700, 700) }
    #expect(outcome.rejected == [receipt(700, 700)] && outcome.written.count == 1_000 && outcome.others == 0)
    #expect(outcome.statements < 40 && queue.count == 0 && queue.isDone)
  }

  @Test("A user whose receipts fail loses those that wait, and nobody else does")
  func failingUser() {
    var queue = ReceiptQueue()
    var receipts: [ReadReceipt] = []
    for id in 1...1_000 { receipts += [receipt(1, Int64(id)), receipt(2, Int64(id))] }
    _ = queue.add(receipts)
    let outcome = run(&queue) { $0.user == UserID(1) }
    #expect(outcome.written.count == 1_000 && outcome.written.allSatisfy { $0.user == UserID(2) })
    #expect(outcome.rejected.count == Limits.failingReceipts && outcome.others == 1_000 - Limits.failingReceipts)
    #expect(outcome.statements < 100)
  }

  @Test("A table that fails waits, with growing pauses, and other tables do not")
  func failingTable() throws {
    var queue = ReceiptQueue()
    _ = queue.add([receipt(1, 1), receipt(1, 2, table: 2)])
    queue.tableFailed(1, at: start)
    #expect(queue.isPaused(1) && queue.next(at: start)?.table == 2 && queue.wait(at: start) == .seconds(1))
    queue.removed(try #require(queue.next(at: start)))
    #expect(queue.isIdle(at: start) && queue.isDone && queue.count == 1)
    queue.tableFailed(1, at: start)
    #expect(queue.wait(at: start) == .seconds(2))
    queue.retry(1, at: start)
    queue.removed(try #require(queue.next(at: start)))
    #expect(!queue.isPaused(1) && queue.count == 0)
  }

  @Test("Receipts beyond the limits are refused")
  func limits() {
    var queue = ReceiptQueue()
    let dropped = queue.add(Array(repeating: receipt(1, 1), count: Limits.pendingReceipts + 3))
    #expect(dropped == 3 && queue.count == Limits.pendingReceipts)
    for id in 1...Int64(Limits.deferredReceipts) { _ = queue.deferReceipt(receipt(1, id)) }
    let isKept = queue.deferReceipt(receipt(1, -1))
    #expect(!isKept && queue.deferredReceipt(receipt(1, 7).row) == receipt(1, 7))
    queue.removeDeferred(receipt(1, 7).row)
    #expect(queue.deferredReceipt(receipt(1, 7).row) == nil)
  }
}
