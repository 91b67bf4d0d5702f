internal import NotifyCore
internal import Synchronization

/// Rows to be marked, from any thread, for the marker to take.
final class MarkInbox: Sendable {
  private let state = Mutex(PendingRows())

  /// Adds rows to be marked sent.
  ///
  /// - Parameter generation: in which they were reported.
  /// - Returns: whether the marker is to be woken: for the first row, and for a batch worth marking at once.
  func add(_ marks: [PendingMark], in generation: GenerationFence.Generation?) -> Bool {
    state.withLock { state in
      let before = state.marks.count
      state.add(marks, in: generation)
      let now = state.marks.count
      return before == 0 || (before < Limits.markEagerly && now >= Limits.markEagerly)
    }
  }

  /// Adds rows to be marked read.
  ///
  /// - Returns: whether the marker is to be woken; nil where there are too many and these are dropped.
  func add(_ receipts: [ReadReceipt], in generation: GenerationFence.Generation?) -> Bool? {
    state.withLock { state in
      let before = state.receipts.count
      if before + receipts.count > Limits.pendingReceipts { return nil }
      state.add(receipts, in: generation)
      return before == 0
    }
  }

  /// How many rows wait to be marked sent.
  var count: Int { state.withLock { $0.marks.count } }

  /// Empties the inbox.
  func takeAll() -> PendingRows {
    state.withLock { state in
      defer { state = PendingRows() }
      return state
    }
  }
}
