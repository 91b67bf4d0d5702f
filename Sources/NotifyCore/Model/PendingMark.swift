/// A row that reached a device of its user and is to be marked sent: one shape from the socket to the statement.
package struct PendingMark: Hashable, Sendable {
  package let key: RowKey
  package let user: UserID

  package init(key: RowKey, user: UserID) {
    self.key = key
    self.user = user
  }
}
