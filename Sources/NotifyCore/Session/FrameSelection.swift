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
  /// The rows' keys.
  package var keys: [RowKey] { runs.flatMap { run in batch.frames[run].map(\.key) } }

  /// Appends the rows as rows that have reached a device of `user`.
  package func appendMarks(of user: UserID, to marks: inout [PendingMark]) {
    for run in runs {
      for frame in batch.frames[run] { marks.append(PendingMark(key: frame.key, user: user)) }
    }
  }
}
