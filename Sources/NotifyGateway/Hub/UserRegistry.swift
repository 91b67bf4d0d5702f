import NIOCore
import NotifyCore
import Synchronization

/// All connections of each user, across event loops, oldest first. Touched only at connects and disconnects.
final class UserRegistry: Sendable {
  private let limit: Int
  private let users = Mutex<[UserID: [NIOLoopBound<ClientConnection>]]>([:])

  init(limit: Int) { self.limit = limit }

  /// Users with at least one connection.
  var count: Int { users.withLock { $0.count } }

  /// Adds a connection.
  ///
  /// - Returns: the user's oldest where that is one too many; it is no longer counted.
  func join(_ connection: NIOLoopBound<ClientConnection>, _ user: UserID) -> NIOLoopBound<ClientConnection>? {
    users.withLock { users in
      users[user, default: []].append(connection)
      guard let group = users[user], group.count > limit else { return nil }
      return users[user]?.removeFirst()
    }
  }

  /// Which of these users have a connection.
  func present(_ asked: [UserID]) -> [Bool] {
    users.withLock { users in asked.map { users.index(forKey: $0) != nil } }
  }

  /// Which of these event loops have connections of some group's user.
  func concerned(_ loops: [any EventLoop], by groups: [DeliveryBatch.Group]) -> [Bool] {
    var concerned = Array(repeating: false, count: loops.count)
    var missing = loops.count
    users.withLock { users in
      for group in groups where missing > 0 {
        for connection in users[group.user] ?? [] {
          guard let index = loops.firstIndex(where: { $0 === connection.eventLoop }), !concerned[index] else {
            continue
          }
          concerned[index] = true
          missing -= 1
        }
      }
    }
    return concerned
  }

  /// Takes a connection out; nothing happens where it is out already.
  ///
  /// Call on the connection's event loop.
  func leave(_ connection: ClientConnection, _ user: UserID) {
    users.withLock { users in
      guard var group = users[user] else { return }
      group.removeAll { $0.eventLoop === connection.eventLoop && $0.value === connection }
      users[user] = group.isEmpty ? nil : group
    }
  }
}
