import DequeModule

/// Rows that wait until a connection has caught up, in order, bounded.
struct CatchUpBuffer: Sendable {
  private var selections: Deque<FrameSelection> = []
  private var rows = 0
  private var bytes = 0

  /// Rows were dropped: the connection has to catch up again.
  private(set) var overflowed = false

  var isEmpty: Bool { selections.isEmpty }

  /// Holds rows back, or drops these and all that were held where they are too many.
  ///
  /// - Parameter limit: rows; the memory that all of them take is bounded by `Limits.catchUpBytes`.
  mutating func append(_ selection: FrameSelection, limit: Int) {
    if overflowed { return }
    rows += selection.rows
    bytes += selection.storedBytes
    if rows > limit || bytes > Limits.catchUpBytes {
      self = CatchUpBuffer()
      overflowed = true
    } else {
      selections.append(selection.detached)
    }
  }

  /// Takes the oldest selections, up to `bytes` and at least one.
  mutating func pop(bytes limit: Int) -> [FrameSelection] {
    var popped: [FrameSelection] = []
    var taken = 0
    while let first = selections.first, taken == 0 || taken + first.bytes <= limit {
      selections.removeFirst()
      popped.append(first)
      rows -= first.rows
      bytes -= first.storedBytes
      taken += first.bytes
    }
    return popped
  }
}
