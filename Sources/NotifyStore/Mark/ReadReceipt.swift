internal import NotifyCore

/// A row that its user has read.
struct ReadReceipt: Hashable, Sendable {
  let user: UserID
  let row: RowName
}
