import NotifyCore

/// The connections of each user on one event loop, oldest first. Touched only on that loop.
///
/// It is looked up for every user of a batch, and stands in this module so that it is specialised for connections.
struct GroupTable<Member: AnyObject> {
  private var members: [UserID: [Member]] = [:]

  /// Users with at least one connection.
  var users: Int { members.count }

  /// The connections of a user, oldest first.
  subscript(user: UserID) -> [Member] { members[user] ?? [] }

  /// Adds a connection to its user's group.
  mutating func join(_ member: Member, _ user: UserID) {
    members[user, default: []].append(member)
  }

  /// Removes a connection from its user's group.
  ///
  /// - Returns: whether it was in it.
  @discardableResult
  mutating func leave(_ member: Member, _ user: UserID) -> Bool {
    guard var group = members[user], let place = group.firstIndex(where: { $0 === member }) else { return false }
    group.remove(at: place)
    members[user] = group.isEmpty ? nil : group
    return true
  }
}
