import Dispatch
import NIOCore
import NIOPosix
import NotifyCore
import TestSupport
import Testing

@testable import NotifyGateway

@Suite("Rows reach the devices of their user, in order, and are marked when flushed", .timeLimit(.minutes(1)))
struct DeliveryTests {
  @Test("Each user gets its own rows on every device, and each row is reported for marking once")
  func routes() async throws {
    try await RunningGateway.run { running in
      let first = try await running.connected(user: 1)
      let second = try await running.connected(user: 2)
      let third = try await running.connected(user: 1)
      await running.gateway.sink.deliver(Rows.batch([(1, [10, 11]), (2, [20]), (3, [30])]))
      for client in [first, third] {
        #expect(try await client.frame().text == #"{"type":"notification","id":10,"data":{}}"#)
        #expect(try await client.frame().text == #"{"type":"notification","id":11,"cursor":"c201","data":{}}"#)
      }
      #expect(try await second.frame().text.contains(#""id":20,"#))
      let rows = await running.confirmations.rows(3)
      #expect(Set(rows.map(\.key.id)) == [10, 11, 20])
      #expect(rows.allSatisfy { $0.user == UserID($0.key.id < 20 ? 1 : 2) })
    }
  }

  @Test("Batches keep their order, however many are in flight")
  func order() async throws {
    try await RunningGateway.run { running in
      let client = try await running.connected(user: 1)
      for id in 1...200 {
        await running.gateway.sink.deliver(Rows.batch([(1, [Int64(id)])], txid: 200 + UInt64(id)))
      }
      for id in 1...200 { #expect(try await client.frame().text.contains(#""id":\#(id),"#)) }
    }
  }

  @Test("Rows that come during the replay are held back, and those that its snapshot sees are left out")
  func holds() async throws {
    let replays = TestReplays(answersItself: false)
    try await RunningGateway.run(replays: replays) { running in
      let client = try await running.client()
      _ = try await client.upgrade("/ws/notifications/?token=user-1&since=c5")
      let asked = try #require(await replays.next())
      #expect(asked.request.wanted == .connecting(since: "c5"))
      await running.gateway.sink.deliver(Rows.batch([(1, [1])], txid: 150))
      await running.gateway.sink.deliver(Rows.batch([(1, [2])], txid: 300))
      let seen = Snapshot(xmax: 200)
      let replayed = Rows.batch([(1, [1])], txid: 150, cursor: "c200")
      asked.answer(
        ReplayPage(
          batch: DeliveryBatch(
            bytes: replayed.bytes, frames: replayed.frames, groups: replayed.groups, base: seen, snapshot: seen,
            cursor: "c200"), truncated: true, next: nil, epoch: .test, generation: 0, durable: 199))
      let established = try await client.frame().text
      #expect(established.contains(#""type":"connection_established""#))
      #expect(!established.contains("cursor"))
      #expect(try await client.frame().text == #"{"type":"replay_truncated","limit":1000}"#)
      #expect(try await client.frame().text.contains(#""id":1,"#))
      #expect(try await client.frame().text.contains(#""id":2,"#))
      #expect(await running.confirmations.rows(2).map(\.key.id) == [1, 2])
    }
  }

  @Test("With ack=1 the acknowledgement marks a row, once and only if it was sent on this connection")
  func acknowledges() async throws {
    try await RunningGateway.run { running in
      let client = try await running.connected(user: 1, query: "&ack=1")
      await running.gateway.sink.deliver(Rows.batch([(1, [5, 6])]))
      _ = try await client.frame()
      _ = try await client.frame()
      try await client.say(#"{"type":"ack","ids":[6,77]}"#)
      try await client.say(#"{"type":"ack","ids":[5,6]}"#)
      #expect(await running.confirmations.rows(2).map(\.key.id) == [6, 5])
      #expect(running.registry.text().contains("notify_bridge_ids_ignored_total 2\n"))
    }
  }

  @Test("Batches of one turn of the event loop make no client look slow")
  func together() async throws {
    var limits = Limits()
    limits.queueBytes = 20_000
    try await RunningGateway.run(GatewaySettings(limits: limits)) { running in
      let client = try await running.connected(user: 1)
      let gate = DispatchSemaphore(value: 0)
      let loops = Array(MultiThreadedEventLoopGroup.singleton.makeIterator())
      for eventLoop in loops { eventLoop.execute { gate.wait() } }
      for id in 1...3 {
        let data = "\"\(String(repeating: "x", count: 15_000))\""
        await running.gateway.sink.deliver(Rows.batch([(1, [Int64(id)])], txid: 200 + UInt64(id), data: data))
      }
      for _ in loops { gate.signal() }
      for id in 1...3 { #expect(try await client.frame().text.contains(#""id":\#(id),"#)) }
    }
  }

  @Test("A heartbeat's cursor covers deltas without rows for the connection")
  func news() async throws {
    try await RunningGateway.run { running in
      // On whichever loops they are, and with a row of theirs in between.
      let clients = [try await running.connected(user: 1), try await running.connected(user: 2)]
      let deltas: [(users: [(user: Int64, ids: [Int64])], cursor: String?)] = [
        ([(99, [1])], "c1"), ([], "c2"), ([(1, [2])], nil), ([(2, [3])], "c3"), ([(99, [4])], "c4"),
      ]
      let sink = running.gateway.sink
      for (users, cursor) in deltas { await sink.deliver(Rows.batch(users, cursor: cursor, for: sink)) }
      for client in clients {
        #expect(try await client.frame().text.contains(#""type":"notification""#))
        try await client.say(#"{"type":"ping"}"#)
        #expect(try await client.frame().text.hasSuffix(#","cursor":"c4"}"#))
      }
    }
  }

  @Test("A lazy cursor is consumed once, after the batches before it are routed")
  func lazyCursor() {
    let lazyCursor = LazyCursor()
    let position = LazyCursor.DeltaEnd(cursor: "c1", snapshot: Snapshot(xmax: 9))
    lazyCursor.publish(position)
    #expect(lazyCursor.consume(routed: 0)?.cursor == "c1")
    #expect(lazyCursor.consume(routed: 0) == nil)
    lazyCursor.batchSent()
    lazyCursor.publish(position)
    #expect(lazyCursor.consume(routed: 0) == nil)
    #expect(lazyCursor.consume(routed: 1)?.cursor == "c1")
  }

  @Test("Messages are answered: ping, read, and unreadable ones")
  func messages() async throws {
    try await RunningGateway.run { running in
      let client = try await running.connected(user: 1)
      await running.gateway.sink.deliver(Rows.batch([(1, [1])], cursor: "c9"))
      _ = try await client.frame()
      try await client.say(#"{"type":"ping"}"#)
      let heartbeat = try await client.frame().text
      #expect(heartbeat.hasPrefix(#"{"type":"heartbeat","timestamp":""#))
      #expect(heartbeat.hasSuffix(#","cursor":"c9"}"#))
      try await client.say(#"{"type":"read","ids":[3,4]}"#)
      var reads = running.confirmations.reads.makeAsyncIterator()
      #expect(await reads.next() == [3, 4])
      for text in ["", "[]", "nonsense", #"{"type":"dance"}"#, #"{"type":"ack"}"#] {
        try await client.say(text)
        #expect(try await client.frame().text.hasPrefix(#"{"type":"error","code":"invalid_message","message":""#))
      }
      try await client.send(bytes: RawClient.masked(0x89, [1, 2, 3]))
      #expect(try await client.frame() == RawClient.Frame(opcode: 10, payload: ByteBuffer(bytes: [1, 2, 3])))
    }
  }

  @Test("A new credential of the same user is taken; another's, or a bad one, ends the connection")
  func authenticatesAgain() async throws {
    try await RunningGateway.run { running in
      for (token, reason) in [("user-2", "invalid"), ("revoked", "revoked")] {
        let client = try await running.connected(user: 1)
        try await client.say(#"{"type":"authenticate","token":"user-1"}"#)
        try await client.say(#"{"type":"ping"}"#)
        #expect(try await client.frame().text.contains("heartbeat"))
        // The answer to the first may still be on its way: one at a time is verified, so ask until it is taken.
        var frame: RawClient.Frame
        repeat {
          try await client.say(#"{"type":"authenticate","token":"\#(token)"}"#)
          frame = try await client.frame()
        } while frame.opcode == 1
        #expect(frame.code == 4001)
        #expect(frame.reason == reason)
      }
    }
  }

  @Test("A client that falls behind is sent each row once, in order, at its pace, and the others go on")
  func fallsBehind() async throws {
    var limits = Limits()
    limits.queueBytes = 1 << 16
    let replays = TestReplays(answersItself: false)
    try await RunningGateway.run(GatewaySettings(limits: limits), replays: replays) { running in
      var clients: [RawClient] = []
      for user in 1...2 {
        let client = try await running.client()
        _ = try await client.upgrade("/ws/notifications/?token=user-\(user)")
        try #require(await replays.next()).answer(.empty)
        _ = try await client.frame()
        clients.append(client)
      }
      try await running.deliverBigRows(slow: clients[0], quick: clients[1])
      let rest = try #require(await replays.next())
      guard case .after(let base) = rest.request.wanted else {
        Issue.record("not from where it fell behind")
        return
      }
      // Row n was written by transaction 200 + n. The last that was written precedes the first that was left out.
      let first = Int64(base.xmax) - 200
      #expect(first > 1 && first <= 200)
      rest.answer(.page(Rows.batch([(1, Array(first...200))], txid: 401), seen: Snapshot(xmax: 500)))
      for id in 1...200 { #expect(try await clients[0].frame().text.contains(#""id":\#(id),"#)) }
      await running.gateway.sink.deliver(Rows.batch([(1, [201])], txid: 600))
      #expect(try await clients[0].frame().text.contains(#""id":201,"#))
      let marked = await running.confirmations.rows(401).filter { $0.user == UserID(1) }
      #expect(marked.map(\.key.id) == Array(1...201))
    }
  }

  @Test("A batch is shared in pieces: a socket that lags behind keeps its piece alive, not the batch")
  func pieces() {
    let users = (Int64(1)...40).map { (user: $0, ids: [$0, $0 + 100]) }
    let batch = Rows.batch(users, data: "\"\(String(repeating: "x", count: 3_000))\"")
    let work = LoopBatch(batch, SharedFrames(batch))
    // In any order, as a row is also found for a second device.
    for group in batch.groups + batch.groups.reversed() {
      let slice = work.slice(group.frames)
      #expect(Array(slice.readableBytesView) == Array(batch.bytes[batch.byteRange(group.frames)]))
      #expect(slice.storageCapacity <= 2 * GatewayLimits.sharedBytes)
    }
    #expect(batch.bytes.count > 6 * GatewayLimits.sharedBytes)
  }

  @Test("Each fault of a client has its close code, and the peer's close frame is answered")
  func closeCodes() async throws {
    try await RunningGateway.run { running in
      let sent: [([UInt8], Int)] = [
        ([0x81, 1, 0x61], 1002), (RawClient.masked(0x82, [1]), 1003), (RawClient.masked(0x81, [0xff]), 1007),
        (RawClient.masked(0x81, Array(repeating: 0x61, count: 65_537)), 1009),
        (RawClient.masked(0x88, [0x03, 0xe8]), 1000), (RawClient.masked(0x88, [0x0f, 0xa0]), 4000),
        (Array((0..<60).flatMap { _ in RawClient.masked(0x81, Array(#"{"type":"ping"}"#.utf8)) }), 4029),
      ]
      for (bytes, code) in sent {
        let client = try await running.connected()
        try await client.send(bytes: bytes)
        #expect(try await client.closeFrame().code == code)
        // Where the server needs no answer any more, it may be gone already.
        try? await client.send(bytes: RawClient.masked(0x88, []))
        try await client.ended()
      }
      let client = try await running.connected()
      try await client.send(bytes: RawClient.masked(0x88, []))
      #expect(try await client.frame() == RawClient.Frame(opcode: 8, payload: ByteBuffer()))
      try await client.ended()
    }
  }

  @Test("A change of the database identity closes every socket with 1012 and voids pending replays")
  func epoch() async throws {
    let replays = TestReplays(answersItself: false)
    try await RunningGateway.run(replays: replays) { running in
      let client = try await running.client()
      _ = try await client.upgrade("/ws/notifications/?token=user-1")
      let asked = try #require(await replays.next())
      asked.answer(.empty)
      _ = try await client.frame()
      running.gateway.sink.epochChanged(to: .other, generation: 1)
      let frame = try await client.frame()
      #expect(frame.code == 1012)
      #expect(frame.reason.hasPrefix("retry_ms="))
      let late = try await running.client()
      _ = try await late.upgrade("/ws/notifications/?token=user-1")
      try #require(await replays.next()).answer(.empty)
      #expect(try await late.frame().code == 1012)
    }
  }
}
