import NIOCore
import NotifyCore
import Synchronization

/// The connections of each user on all event loops, oldest first.
///
/// It is locked once for each batch, connect and disconnect.
final class UserRegistry<Member: AnyObject & SendableMetatype>: Sendable {
  private struct Registration: Sendable {
    let connection: NIOLoopBound<Member>
    let loop: LoopSet
  }

  private struct UserEntry: Sendable {
    var registrations: [Registration] = []
    /// The loops of all registrations.
    var loops = LoopSet.none

    mutating func add(_ registration: Registration) {
      registrations.append(registration)
      loops.formUnion(registration.loop)
    }

    mutating func removeOldest() -> NIOLoopBound<Member> {
      let oldest = registrations.removeFirst()
      findLoops()
      return oldest.connection
    }

    mutating func remove(where isGone: (Registration) -> Bool) {
      registrations.removeAll(where: isGone)
      findLoops()
    }

    private mutating func findLoops() {
      loops = registrations.reduce(into: .none) { $0.formUnion($1.loop) }
    }
  }

  private let limit: Int
  private let users = Mutex<[UserID: UserEntry]>([:])

  /// - Parameter limit: connections of one user.
  init(limit: Int) { self.limit = limit }

  /// Users with at least one connection.
  var count: Int { users.withLock { $0.count } }

  /// Adds a connection.
  ///
  /// - Returns: the user's oldest where that is one too many; it is removed.
  func join(_ connection: NIOLoopBound<Member>, _ user: UserID, on loop: LoopSet) -> NIOLoopBound<Member>? {
    users.withLock { users in
      var entry = users.removeValue(forKey: user) ?? UserEntry()
      entry.add(Registration(connection: connection, loop: loop))
      defer { users[user] = entry }
      return entry.registrations.count > limit ? entry.removeOldest() : nil
    }
  }

  /// The event loops on which each of these users has connections.
  func loops(of wanted: [UserID]) -> [LoopSet] {
    users.withLock { users in
      wanted.map { users[$0]?.loops ?? .none }
    }
  }

  /// Removes a connection; does nothing where it was removed before.
  ///
  /// Call on the connection's event loop.
  func leave(_ connection: Member, _ user: UserID, on eventLoop: any EventLoop) {
    users.withLock { users in
      guard var entry = users[user] else { return }
      entry.remove { $0.connection.eventLoop === eventLoop && $0.connection.value === connection }
      users[user] = entry.registrations.isEmpty ? nil : entry
    }
  }
}
