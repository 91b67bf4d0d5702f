import Metrics
import NIOCore
import NotifyCore
import TestSupport
import Testing

@testable import NotifyGateway

@Suite("Rows are compressed once for all devices that negotiated it", .timeLimit(.minutes(1)))
struct DeflatedDeliveryTests {
  private static let offer = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]

  private static func text(_ frame: RawClient.Frame) throws -> String {
    frame.isDeflated ? String(buffer: try Inflater().inflate(frame.payload, atMost: 1 << 20)) : frame.text
  }

  /// Text that compresses to about a third.
  private static func words(_ bytes: Int) -> String {
    var state: UInt32 = 7
    var text = ""
    while text.utf8.count < bytes {
      state = state &* 1_664_525 &+ 1_013_904_223
      text += ["one ", "two ", "three ", "fünf ", "🚀 ", "\(state) "][Int(state >> 16) % 6]
    }
    return text
  }

  @Test(
    "A frame becomes smaller and stays the same text, or stays as it is",
    arguments: [1, 2, 130, 200, 1_399, 1_400, 8_001, 65_535, 65_536, 65_537, 200_000, 262_144, 262_145, 300_000])
  func frames(_ size: Int) throws {
    let deflater = Deflated.deflater(from: 1_400)
    for text in [String(Self.words(size).unicodeScalars.prefix(size)), String(repeating: "x", count: size)] {
      let plain = FrameEncoder.text(text)
      let frame = Deflated.frame(text, by: deflater)
      guard (1_400...262_144).contains(text.utf8.count) else {
        #expect(frame == ByteBuffer(bytes: plain))
        continue
      }
      #expect(frame.readableBytes < plain.count)
      #expect(frame.getInteger(at: 0, as: UInt8.self) == 0xc1)
      // As a client's frame it is read back: the length is in its shortest form.
      var reader = FrameReader(limit: 1 << 20, inflater: Inflater())
      let header = frame.readableBytes < 128 ? 2 : frame.readableBytes < 65_540 ? 4 : 10
      reader.append(ByteBuffer(bytes: RawClient.masked(0xc1, Array(frame.readableBytesView.dropFirst(header)))))
      #expect(try reader.next() == .message(ByteBuffer(string: text)))
    }
  }

  @Test("A row that compression does not make smaller goes out uncompressed")
  func incompressible() {
    var state: UInt64 = 1
    var text = ""
    for _ in 0..<4_000 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      text.unicodeScalars.append(Unicode.Scalar(0x1_0000 + UInt32(state >> 44) % 0xf_0000) ?? "x")
    }
    // UTF-8's own redundancy is found only by coding bytes by their frequency; a short text does not pay for that.
    let short = String(text.unicodeScalars.prefix(12))
    #expect(Deflated.frame(short) == ByteBuffer(bytes: FrameEncoder.text(short)))
    let deflater = Deflated.deflater()
    #expect(Deflated.frame(text, by: deflater).readableBytes <= FrameEncoder.text(text).count)
    // The stream that was given up leaves nothing behind.
    let frame = Deflated.frame("Hello Hello Hello Hello", by: deflater)
    #expect(frame == Deflated.frame("Hello Hello Hello Hello"))
    #expect(frame.readableBytes < 20)
  }

  @Test("The devices of a user share one compressed frame")
  func shares() throws {
    let batch = Rows.batch([(1, [1, 2, 3]), (2, [4])], data: "\"\(Self.words(5_000))\"")
    let work = LoopBatch(batch, SharedFrames(batch))
    let deflater = Deflated.deflater()
    func address(_ buffer: ByteBuffer) -> UInt? {
      buffer.withUnsafeReadableBytes { $0.baseAddress.map { UInt(bitPattern: $0) } }
    }
    let first = work.slice(0..<3, of: 0..<3, by: deflater)
    let second = work.slice(0..<3, of: 0..<3, by: deflater)
    let last = work.slice(2..<3, of: 0..<3, by: deflater)
    #expect(address(first) == address(second))
    #expect(address(first).map { $0 + UInt(first.readableBytes - last.readableBytes) } == address(last))
    #expect(first.readableBytes < work.slice(0..<3).readableBytes)
    #expect(work.slice(3..<4, of: 3..<4, by: deflater) != last)
    // Nothing to compress: the batch's own bytes.
    let small = LoopBatch(batch, SharedFrames(batch))
    #expect(address(small.slice(1..<2, of: 0..<3, by: Deflated.deflater(from: 10_000))) == address(small.slice(1..<2)))
  }

  @Test("Each row is compressed once a loop, and devices without the extension get it uncompressed")
  func delivers() async throws {
    try await RunningGateway.run { running in
      var clients: [RawClient] = []
      for _ in 0..<12 { clients.append(try await running.connected(user: 1, headers: Self.offer)) }
      let plain = try await running.connected(user: 1)
      let data = "\"\(Self.words(3_000))\""
      let rows = 10
      for id in 1...rows {
        await running.gateway.sink.deliver(Rows.batch([(1, [Int64(2 * id)]), (2, [1])], data: data))
        await running.gateway.sink.deliver(Rows.batch([(1, [Int64(2 * id + 1)])], data: "1"))
      }
      for id in 1...rows {
        let expected = #"{"type":"notification","id":\#(2 * id),"cursor":"c201","data":\#(data)}"#
        let small = #"{"type":"notification","id":\#(2 * id + 1),"cursor":"c201","data":1}"#
        for client in clients {
          let frame = try await client.frame()
          #expect(frame.isDeflated)
          #expect(frame.payload.readableBytes * 2 < expected.utf8.count)
          #expect(try Self.text(frame) == expected)
          #expect(try await client.frame() == RawClient.Frame(opcode: 1, payload: ByteBuffer(string: small)))
        }
        #expect(try await plain.frame() == RawClient.Frame(opcode: 1, payload: ByteBuffer(string: expected)))
        #expect(try await plain.frame().text == small)
      }
      let compressed = try #require(Self.value("rows_deflated_total", running))
      #expect(compressed % rows == 0)
      #expect((1...System.coreCount).contains(compressed / rows))
      #expect(try #require(Self.value("deflate_saved_bytes_total", running)) > 12 * rows * 1_500)
    }
  }

  private static func value(_ name: String, _ running: RunningGateway) -> Int? {
    running.registry.text().split(separator: "\n").first { $0.hasPrefix("notify_bridge_\(name) ") }?
      .split(separator: " ").last.flatMap { Int($0) }
  }

  @Test("Replayed rows and those that were held back are compressed too, in their order")
  func catchesUp() async throws {
    let replays = TestReplays(answersItself: false)
    try await RunningGateway.run(replays: replays) { running in
      let client = try await running.client()
      _ = try await client.upgrade("/ws/notifications/?token=user-1&since=c5", Self.offer)
      let asked = try #require(await replays.next())
      let data = "\"\(Self.words(4_000))\""
      await running.gateway.sink.deliver(Rows.batch([(1, [1])], txid: 150, data: data))
      await running.gateway.sink.deliver(Rows.batch([(1, [2, 3])], txid: 300, data: data))
      let replayed = Rows.batch([(1, [1])], txid: 150, data: data, cursor: "c200")
      let seen = Snapshot(xmax: 200)
      asked.answer(
        ReplayPage(
          batch: DeliveryBatch(
            bytes: replayed.bytes, frames: replayed.frames, groups: replayed.groups, base: seen, snapshot: seen,
            cursor: "c200"), truncated: false, next: nil, epoch: .test, generation: 0, durable: 199))
      #expect(try await client.frame().text.contains("connection_established"))
      for id in 1...3 {
        let frame = try await client.frame()
        #expect(frame.isDeflated)
        #expect(try Self.text(frame).contains(#""id":\#(id),"#))
      }
      #expect(await running.confirmations.rows(3).map(\.key.id) == [1, 2, 3])
      // Nothing of it counts as waiting any more: a queue that is not empty takes no row of any size.
      await running.gateway.sink.deliver(Rows.batch([(1, [4])], txid: 400, data: data))
      #expect(try Self.text(try await client.frame()).contains(#""id":4,"#))
      #expect(running.registry.text().contains("notify_bridge_rows_deflated_total 4\n"))
    }
  }

  @Test("Rows that wait for a slow client count with their compressed size")
  func queue() async throws {
    var limits = Limits()
    limits.queueBytes = 1 << 17
    try await RunningGateway.run(GatewaySettings(limits: limits)) { running in
      let slow = try await running.connected(user: 1, headers: Self.offer)
      let quick = try await running.connected(user: 2)
      // The 40 MB become less than 0.3 MB.
      try await running.deliverBigRows(slow: slow, quick: quick)
      for id in 1...200 { #expect(try Self.text(try await slow.frame()).contains(#""id":\#(id),"#)) }
    }
  }

  @Test("Compressed messages of a client are answered, and refused where the extension was not negotiated")
  func receives() async throws {
    try await RunningGateway.run { running in
      let ping = RawClient.masked(0xc1, Array(Deflated.payload(of: #"{"type":"ping","padding":"xxxxxxxxxxxxxxxx"}"#)))
      let client = try await running.connected(headers: Self.offer)
      try await client.send(bytes: ping)
      #expect(try await client.frame().text.contains("heartbeat"))
      let other = try await running.connected()
      try await other.send(bytes: ping)
      #expect(try await other.closeFrame().code == 1002)
    }
  }
}
