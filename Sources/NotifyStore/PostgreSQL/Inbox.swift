internal import Synchronization

/// Items from any thread for one consumer, which takes all at once.
final class Inbox<Item: Sendable>: Sendable {
  private struct State {
    var items: [Item] = []
    var isClosed = false
  }

  private let state = Mutex(State())

  /// Adds an item.
  ///
  /// - Returns: how many waited before it, so that the consumer is woken only for the first; nil where the inbox is
  ///   closed and the item is not in it.
  func append(_ item: Item) -> Int? {
    state.withLock { state in
      if state.isClosed { return nil }
      state.items.append(item)
      return state.items.count - 1
    }
  }

  /// Empties the inbox.
  func takeAll() -> [Item] {
    state.withLock { state in
      defer { state.items = [] }
      return state.items
    }
  }

  /// Refuses all later items.
  func close() { state.withLock { $0.isClosed = true } }
}
