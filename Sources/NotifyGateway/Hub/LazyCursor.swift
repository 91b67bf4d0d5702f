import NotifyCore
import Synchronization

/// The newest cursor of deltas in which none of a loop's users has a row. The loop need not be woken for them.
final class LazyCursor: Sendable {
  /// The end of such a delta.
  struct DeltaEnd: Sendable {
    /// Nil where none vouches for the delta.
    let cursor: String?
    let snapshot: Snapshot
  }

  private struct State {
    /// Batches that were sent to the loop.
    var batchesSent: UInt64 = 0
    var deltaEnd: DeltaEnd?
    /// How many batches the loop has to route before `deltaEnd` holds.
    var validAfter: UInt64 = 0
  }

  private let state = Mutex(State())

  /// Counts a batch that is being sent to the loop.
  func batchSent() { state.withLock { $0.batchesSent += 1 } }

  /// Publishes the end of a delta whose last batch is not sent to the loop.
  func publish(_ deltaEnd: DeltaEnd) {
    state.withLock { state in
      state.deltaEnd = deltaEnd
      state.validAfter = state.batchesSent
    }
  }

  /// The published end, once, as soon as the loop has routed all batches that were sent before it.
  func consume(routed: UInt64) -> DeltaEnd? {
    state.withLock { state in
      guard state.deltaEnd != nil, state.validAfter <= routed else { return nil }
      defer { state.deltaEnd = nil }
      return state.deltaEnd
    }
  }
}
