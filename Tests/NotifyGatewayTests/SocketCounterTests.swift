import NIOCore
import NIOPosix
import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("Idle sockets are counted by address", .timeLimit(.minutes(1)))
struct SocketCounterTests {
  static func peer(_ address: String) throws -> SocketCounter.Peer {
    try #require(SocketCounter.Peer(SocketAddress(ipAddress: address, port: 1)))
  }

  @Test("An IPv4 address counts by itself, in either form; an IPv6 address with its network")
  func peers() throws {
    #expect(try Self.peer("192.0.2.1") != Self.peer("192.0.2.2"))
    #expect(try Self.peer("192.0.2.1") == Self.peer("::ffff:192.0.2.1"))
    #expect(try Self.peer("::ffff:192.0.2.2") != Self.peer("::ffff:192.0.2.1"))
    #expect(try Self.peer("2001:db8::1") == Self.peer("2001:db8::ffff:1:2"))
    #expect(try Self.peer("2001:db8::1") != Self.peer("2001:db8:0:1::1"))
    #expect(try Self.peer("::1") != Self.peer("0.0.0.0"))
    #expect(try SocketCounter.Peer(SocketAddress(unixDomainSocketPath: "/x")) == nil)
  }

  @Test("An address has its share, others have a reserve, and proxies and the admin port are not counted by address")
  func shares() throws {
    let counter = SocketCounter(SocketCounter.Bounds(total: 100, perPeer: 0))
    let (one, other, third) = try (Self.peer("192.0.2.1"), Self.peer("192.0.2.2"), Self.peer("192.0.2.3"))
    func opened(_ peer: SocketCounter.Peer?, isAdmin: Bool = false) -> Int {
      var count = 0
      while count < 200, counter.opened(peer, isAdmin: isAdmin) { count += 1 }
      return count
    }
    #expect(opened(one) == 50)
    #expect(opened(other) == 25)
    #expect(opened(third) == GatewayLimits.reservedPerPeer)
    // One that is a WebSocket by now makes room in the share.
    counter.leftIdle(third)
    #expect(opened(third) == 1)
    #expect(opened(nil) == 100 - 75 - GatewayLimits.reservedPerPeer - 1)
    #expect(opened(nil, isAdmin: true) == GatewayLimits.reservedSockets)
    let bounded = SocketCounter(SocketCounter.Bounds(total: 10_000, perPeer: 5))
    var count = 0
    while bounded.opened(one) { count += 1 }
    #expect(count == 5 + GatewayLimits.idlePerPeer)
  }

  @Test("Silent sockets of one address leave room for the health checks and the users of another")
  func silent() async throws {
    var limits = Limits()
    limits.connections = 20
    limits.spareSockets = 20
    try await RunningGateway.run(GatewaySettings(limits: limits)) { running in
      var silent: [RawClient] = []
      for _ in 0..<20 { silent.append(try await running.client()) }
      // Beyond its share, a socket is closed at once.
      for _ in 0..<20 { try await running.client().ended() }
      let other = try await RawClient.connect(port: running.port, from: "127.0.0.2")
      #expect(try await other.request("GET /healthz").status == 200)
      let user = try await RawClient.connect(port: running.port, from: "127.0.0.2")
      #expect(try await user.upgrade("/ws/notifications/?token=user-1").status == 101)
      // A WebSocket is none of them.
      await silent.removeLast().close()
      var socket: RawClient?
      while socket == nil {
        let client = try await running.client()
        do {
          if try await client.upgrade("/ws/notifications/?token=user-1").status == 101 { socket = client }
        } catch is RawClient.Ended {}
      }
      _ = try await running.client().upgrade("/ws/notifications/?token=user-1")
      for client in silent { await client.close() }
    }
  }
}
