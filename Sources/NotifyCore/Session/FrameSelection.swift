/// Some frames of one user in a batch, in order of delivery.
package struct FrameSelection: Equatable, Sendable {
  package let batch: DeliveryBatch
  /// Ascending runs of consecutive indices into the batch's frames; none is empty.
  package let runs: [Range<Int>]

  /// Takes a user's frames.
  package init(_ batch: DeliveryBatch, _ frames: Range<Int>) {
    self.batch = batch
    self.runs = frames.isEmpty ? [] : [frames]
  }

  /// Takes those of a user's frames for which `keep` holds.
  package init(_ batch: DeliveryBatch, _ frames: Range<Int>, where keep: (RowKey) -> Bool) {
    self.init(FrameSelection(batch, frames), where: keep)
  }

  /// Takes those frames of a selection for which `keep` holds.
  package init(_ selection: FrameSelection, where keep: (RowKey) -> Bool) {
    var runs: [Range<Int>] = []
    for index in selection.runs.joined() where keep(selection.batch.frames[index].key) {
      if let last = runs.last, last.upperBound == index {
        runs[runs.count - 1] = last.lowerBound..<(index + 1)
      } else {
        runs.append(index..<(index + 1))
      }
    }
    self.batch = selection.batch
    self.runs = runs
  }

  /// Whether both are the same frames of the same batch.
  package static func == (left: FrameSelection, right: FrameSelection) -> Bool {
    left.batch === right.batch && left.runs == right.runs
  }

  package var isEmpty: Bool { runs.isEmpty }
  /// How many rows.
  package var rows: Int { runs.reduce(0) { $0 + $1.count } }
  /// How many bytes their frames have.
  package var bytes: Int { runs.reduce(0) { $0 + batch.byteRange($1).count } }
  /// How many bytes the selection keeps alive, where its batch is its own.
  var storedBytes: Int { bytes + rows * MemoryLayout<DeliveryBatch.Frame>.stride + 256 }
  /// The same rows in a batch of their own: that of a delta may be far larger than a user's part of it.
  var detached: FrameSelection {
    if rows == batch.frames.count { return self }
    var frames: [DeliveryBatch.Frame] = []
    var bytes: [UInt8] = []
    frames.reserveCapacity(rows)
    bytes.reserveCapacity(self.bytes)
    for index in runs.joined() {
      let frame = batch.frames[index]
      bytes += batch.bytes[batch.byteRange(index..<index + 1)]
      frames.append(DeliveryBatch.Frame(key: frame.key, end: bytes.count, createdAt: frame.createdAt))
    }
    let own = DeliveryBatch(
      bytes: bytes, frames: frames, base: batch.base, snapshot: batch.snapshot, isExact: batch.isExact,
      cursor: batch.cursor, doorbell: batch.doorbell)
    return FrameSelection(own, frames.indices)
  }
  /// The rows' keys.
  package var keys: [RowKey] { runs.flatMap { run in batch.frames[run].map(\.key) } }

  /// Appends the rows as rows that have reached a device of `user`.
  package func appendMarks(of user: UserID, to marks: inout [PendingMark]) {
    for run in runs {
      for frame in batch.frames[run] { marks.append(PendingMark(key: frame.key, user: user)) }
    }
  }
}
