import NIOCore
import NIOEmbedded
import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("The registry of users knows the event loops of each")
struct UserRegistryTests {
  final class Member: Sendable {}

  private let registry = UserRegistry<Member>(limit: 2)
  private let loops = [EmbeddedEventLoop(), EmbeddedEventLoop()]

  /// A connection of a user on one of the loops.
  private func join(_ user: Int64, on loop: Int) -> (member: Member, oldest: Member?) {
    let member = Member()
    let oldest = registry.join(
      NIOLoopBound(member, eventLoop: loops[loop]), UserID(user), on: LoopSet(loop: loop))
    return (member, oldest?.value)
  }

  @Test("The loops of a user are those of its connections, and none after the last one has left")
  func membership() {
    let (first, second) = (join(1, on: 0).member, join(1, on: 1).member)
    _ = join(2, on: 1)
    var both = LoopSet(loop: 0)
    both.formUnion(LoopSet(loop: 1))
    #expect(registry.loops(of: [UserID(1), UserID(2), UserID(3)]) == [both, LoopSet(loop: 1), .none])
    registry.leave(first, UserID(1), on: loops[0])
    #expect(registry.loops(of: [UserID(1)]) == [LoopSet(loop: 1)])
    registry.leave(second, UserID(1), on: loops[1])
    registry.leave(second, UserID(1), on: loops[1])
    #expect(registry.loops(of: [UserID(1)]) == [.none] && registry.count == 1)
  }

  @Test("One connection too many removes the user's oldest")
  func limit() {
    let first = join(1, on: 0).member
    #expect(join(1, on: 1).oldest == nil)
    #expect(join(1, on: 1).oldest === first)
    #expect(registry.loops(of: [UserID(1)]) == [LoopSet(loop: 1)])
  }

  @Test("On a machine with many event loops a set may hold a loop too many, never one too few")
  func manyLoops() {
    for loop in [0, 63, 64, 200] {
      let set = LoopSet(loop: loop)
      #expect(set.intersects(LoopSet(loop: loop)) && set.intersects(.all) && !set.intersects(.none) && !set.isEmpty)
    }
    #expect(!LoopSet(loop: 0).intersects(LoopSet(loop: 63)))
  }
}
