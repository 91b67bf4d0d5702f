import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("The group table of an event loop finds a user's connections")
struct GroupTableTests {
  final class Member {}

  @Test("The group table keeps a user's connections oldest first, and forgets users without any")
  func membership() {
    var table = GroupTable<Member>()
    let (first, second) = (Member(), Member())
    table.join(first, UserID(1))
    table.join(second, UserID(1))
    #expect(table[UserID(1)].map(ObjectIdentifier.init) == [first, second].map(ObjectIdentifier.init))
    table.leave(first, UserID(2))
    table.leave(first, UserID(1))
    #expect(table.users == 1)
    table.leave(second, UserID(1))
    #expect(table.users == 0 && table[UserID(1)].isEmpty)
  }
}
