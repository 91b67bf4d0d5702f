/// Rows on their way to sockets: their frames lie encoded in one array, those of a user side by side in order of delivery.
///
/// It is built once by the store, then handed to every event loop and never changed.
package final class DeliveryBatch: Sendable {
  /// One row's frame.
  package struct Frame: Sendable, Equatable {
    package let key: RowKey
    /// Where the frame, header included, ends in `bytes`; it begins where the one before ends.
    package let end: Int
    /// Microseconds since 1970-01-01 UTC, where the row has a finite creation time.
    package let createdAt: Int64?

    package init(key: RowKey, end: Int, createdAt: Int64?) {
      self.key = key
      self.end = end
      self.createdAt = createdAt
    }
  }

  /// The frames of one user.
  package struct UserFrames: Sendable, Equatable {
    package let user: UserID
    /// Indices into `frames`.
    package let frames: Range<Int>
    /// The event loops that have sockets of the user; the others skip the group.
    package let loops: LoopSet

    package init(user: UserID, frames: Range<Int>, loops: LoopSet = .all) {
      self.user = user
      self.frames = frames
      self.loops = loops
    }
  }

  /// Whole WebSocket frames, back to back.
  package let bytes: [UInt8]
  /// One entry for each row, grouped by user.
  package let frames: [Frame]
  /// Each user of the batch once.
  package let groups: [UserFrames]
  /// The snapshot that the delta started from.
  package let base: Snapshot
  /// The snapshot under which the delta was read.
  package let snapshot: Snapshot
  /// Whether the delta's rows are all those that `base` doesn't see and `snapshot` does: none was routed before.
  package let isExact: Bool
  /// Whether the delta ends with this batch.
  package let isEnd: Bool
  /// Where the delta or replay ends with this batch: the cursor that vouches for all of it. Nil where none does, because
  /// a table can't be read.
  package let cursor: String?
  /// The instant at which the doorbell of this delta rang; nil for a fetch without a doorbell.
  package let doorbell: ContinuousClock.Instant?

  package init(
    bytes: [UInt8] = [], frames: [Frame] = [], groups: [UserFrames] = [], base: Snapshot, snapshot: Snapshot,
    isExact: Bool = true, isEnd: Bool? = nil, cursor: String? = nil, doorbell: ContinuousClock.Instant? = nil
  ) {
    self.bytes = bytes
    self.frames = frames
    self.groups = groups
    self.base = base
    self.snapshot = snapshot
    self.isExact = isExact
    self.isEnd = isEnd ?? (cursor != nil)
    self.cursor = cursor
    self.doorbell = doorbell
  }

  /// The bytes of some consecutive frames, as a range of `bytes`.
  package func byteRange(_ frames: Range<Int>) -> Range<Int> {
    guard let last = frames.last else { return 0..<0 }
    return start(of: frames.lowerBound)..<self.frames[last].end
  }

  private func start(of frame: Int) -> Int {
    frame == 0 ? 0 : frames[frame - 1].end
  }
}
