internal import NotifyCore

/// Rows to be marked, all of one history of the database.
struct PendingRows: Sendable {
  private(set) var marks: [PendingMark] = []
  private(set) var receipts: [ReadReceipt] = []
  private var history = MarkHistory()

  /// The newest generation in which rows were reported.
  var generation: GenerationFence.Generation? { history.newest }

  mutating func add(_ new: [PendingMark], in generation: GenerationFence.Generation?) {
    if follow(generation) { marks.append(contentsOf: new) }
  }

  mutating func add(_ new: [ReadReceipt], in generation: GenerationFence.Generation?) {
    if follow(generation) { receipts.append(contentsOf: new) }
  }

  private mutating func follow(_ generation: GenerationFence.Generation?) -> Bool {
    switch history.move(to: generation) {
    case .same: break
    case .newer:
      marks = []
      receipts = []
    case .older: return false
    }
    return true
  }
}
