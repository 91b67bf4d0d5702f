import NotifyCore
import Synchronization

/// What a loop is to know of deltas in which none of its users has a row: it need not be woken for them.
final class LazyCursor: Sendable {
  /// Where such a delta has ended.
  struct News: Sendable {
    let cursor: String
    let snapshot: Snapshot
  }

  private struct State {
    /// Batches that were handed to the loop.
    var sent: UInt64 = 0
    var news: News?
    /// It counts once so many batches were routed.
    var after: UInt64 = 0
  }

  private let state = Mutex(State())

  /// A batch is handed to the loop.
  func sending() { state.withLock { $0.sent += 1 } }

  /// A delta has ended, and the loop got none of its last batch.
  func put(_ news: News) {
    state.withLock { state in
      state.news = news
      state.after = state.sent
    }
  }

  /// The news, where all batches before it were routed; once.
  func take(routed: UInt64) -> News? {
    state.withLock { state in
      guard state.news != nil, state.after <= routed else { return nil }
      defer { state.news = nil }
      return state.news
    }
  }
}
