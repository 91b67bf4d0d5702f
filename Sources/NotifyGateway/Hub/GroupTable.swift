import NotifyCore

/// Who is in which group: the connections of each user, oldest first.
///
/// Each event loop has its own; it is touched only there. In this module, which so has it specialised for connections: it
/// is looked up for every user of a batch.
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

  /// Takes a connection out of its user's group; nothing happens where it isn't in it.
  mutating func leave(_ member: Member, _ user: UserID) {
    guard var group = members[user] else { return }
    group.removeAll { $0 === member }
    members[user] = group.isEmpty ? nil : group
  }
}
