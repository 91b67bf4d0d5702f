internal import DequeModule
internal import NotifyCore

/// The rows in quarantine that this bridge has met, the newest ones. A value.
struct FailureMemory: Sendable {
  private var marks: [RowKey: PendingMark] = [:]
  private var order: Deque<RowKey> = []

  var isEmpty: Bool { marks.isEmpty }

  func contains(_ key: RowKey) -> Bool { marks[key] != nil }

  mutating func insert(_ mark: PendingMark) {
    if marks.updateValue(mark, forKey: mark.key) == nil { order.append(mark.key) }
    while order.count > Limits.rememberedFailures { marks[order.removeFirst()] = nil }
  }

  /// Forgets a row that left the quarantine.
  ///
  /// - Returns: the row with its user, where it is known.
  mutating func remove(_ key: RowKey) -> PendingMark? {
    guard let mark = marks.removeValue(forKey: key) else { return nil }
    order.removeAll { $0 == key }
    return mark
  }

  mutating func removeAll() { self = FailureMemory() }
}
