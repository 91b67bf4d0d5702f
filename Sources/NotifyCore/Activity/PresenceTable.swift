/// The users with sockets, and which of them the database has yet to be told of. A value; times are microseconds since
/// 1970.
///
/// Changes of one user are taken together, so that a storm of reconnects is one change for each user. Where more users
/// have changed than are remembered, all that have sockets are written anew.
package struct PresenceTable: Sendable {
  /// A user as the database is to have it.
  package struct Change: Sendable, Equatable {
    package let user: UserID
    /// Sockets; 0 for a user who has gone.
    package let devices: Int
    /// When the user came to have a socket; 0 for one who has gone.
    package let since: Int64
    /// The last change.
    package let at: Int64
  }

  /// What the database is to be told.
  package struct Changes: Sendable, Equatable {
    /// No other user has a socket.
    package var isWhole: Bool
    package var users: [Change]

    package var isEmpty: Bool { users.isEmpty && !isWhole }
  }

  private struct UserDevices: Sendable {
    var devices: Int
    let since: Int64
  }

  private let limit: Int
  private var users: [UserID: UserDevices] = [:]
  private var changed: [UserID: Int64] = [:]
  private var isWhole = false

  /// - Parameter limit: users whose change is remembered.
  package init(limit: Int = Limits.presenceChanges) { self.limit = limit }

  /// Whether nobody has a socket.
  package var isEmpty: Bool { users.isEmpty }
  /// Whether there is something to tell.
  package var hasChanges: Bool { isWhole || !changed.isEmpty }

  /// A user has one more socket.
  package mutating func joined(_ user: UserID, at now: Int64) {
    users[user, default: UserDevices(devices: 0, since: now)].devices += 1
    note(user, at: now)
  }

  /// A user has one socket less.
  package mutating func left(_ user: UserID, at now: Int64) {
    guard let entry = users[user] else { return }
    if entry.devices > 1 { users[user]?.devices -= 1 } else { users[user] = nil }
    note(user, at: now)
  }

  /// What was written may be lost: all users are to be told again.
  package mutating func rewrite() { isWhole = true }

  /// Takes all changes.
  package mutating func take() -> Changes {
    defer { (changed, isWhole) = ([:], false) }
    var taken = changed.map { change($0.key, at: $0.value) }
    if isWhole {
      for user in users.keys where changed[user] == nil { taken.append(change(user, at: 0)) }
    }
    return Changes(isWhole: isWhole, users: taken)
  }

  /// Changes that were taken could not be written.
  package mutating func putBack(_ changes: Changes) {
    if changes.isWhole { isWhole = true }
    for change in changes.users where changed[change.user] == nil { note(change.user, at: change.at) }
  }

  private func change(_ user: UserID, at time: Int64) -> Change {
    let entry = users[user]
    return Change(user: user, devices: entry?.devices ?? 0, since: entry?.since ?? 0, at: time)
  }

  private mutating func note(_ user: UserID, at now: Int64) {
    changed[user] = now
    guard changed.count > limit else { return }
    changed = [:]
    isWhole = true
  }
}
