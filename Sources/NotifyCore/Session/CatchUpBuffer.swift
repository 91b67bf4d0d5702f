import DequeModule

/// Rows that wait until a connection has caught up, in order, bounded.
struct CatchUpBuffer: Sendable {
  private var selections: Deque<FrameSelection> = []
  private var rows = 0
  private var bytes = 0

  /// Rows were dropped: the connection has to catch up again. None is held back until then.
  private(set) var overflowed = false
  /// Rows are held of before a lost connection: the snapshots of their deltas claim too much.
  private(set) var isOutdated = false

  var isEmpty: Bool { selections.isEmpty }
  var first: FrameSelection? { selections.first }

  /// Holds rows back.
  ///
  /// - Parameters:
  ///   - limit: rows.
  ///   - limitBytes: the memory that all of them take.
  /// - Returns: false where they are too many, and nothing changed.
  mutating func append(_ selection: FrameSelection, limit: Int, bytes limitBytes: Int) -> Bool {
    let (newRows, newBytes) = (rows + selection.rows, bytes + selection.storedBytes)
    guard newRows <= limit, newBytes <= limitBytes else { return false }
    (rows, bytes) = (newRows, newBytes)
    selections.append(selection.detached)
    return true
  }

  /// The connection to the database was lost.
  mutating func outdate() { isOutdated = !isEmpty }

  /// Drops everything.
  mutating func overflow() {
    self = CatchUpBuffer()
    overflowed = true
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
