/// Who is in which group: the connections of each user, oldest first.
///
/// Each event loop has its own; it is touched only there.
package struct GroupTable<Member: AnyObject> {
  private var members: [UserID: [Member]] = [:]

  package init() {}

  /// Users with at least one connection.
  package var users: Int { members.count }

  /// The connections of a user, oldest first.
  package subscript(user: UserID) -> [Member] { members[user] ?? [] }

  /// Adds a connection to its user's group.
  package mutating func join(_ member: Member, _ user: UserID) {
    members[user, default: []].append(member)
  }

  /// Takes a connection out of its user's group; nothing happens where it isn't in it.
  package mutating func leave(_ member: Member, _ user: UserID) {
    guard var group = members[user] else { return }
    group.removeAll { $0 === member }
    members[user] = group.isEmpty ? nil : group
  }
}
