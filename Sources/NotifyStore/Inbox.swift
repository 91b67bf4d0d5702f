internal import Synchronization

/// Items from any thread for one consumer, which takes all at once.
final class Inbox<Item: Sendable>: Sendable {
  private let items = Mutex<[Item]>([])

  /// Adds items.
  ///
  /// - Returns: how many there were before and are now: the consumer needs waking only when a threshold is crossed.
  func append(_ new: [Item]) -> (before: Int, now: Int) {
    items.withLock { items in
      let before = items.count
      items.append(contentsOf: new)
      return (before, items.count)
    }
  }

  func takeAll() -> [Item] {
    items.withLock { items in
      var taken: [Item] = []
      swap(&taken, &items)
      return taken
    }
  }

  var count: Int { items.withLock { $0.count } }
}
