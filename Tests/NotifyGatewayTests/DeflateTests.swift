import Metrics
import NIOCore
import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("Compressed messages of a client are read by the rules of RFC 7692")
struct InflateTests {
  private static func read(_ bytes: [UInt8], limit: Int = 100) throws -> [FrameReader.Event] {
    var reader = FrameReader(limit: limit, inflater: Inflater())
    reader.append(ByteBuffer(bytes: bytes))
    var events: [FrameReader.Event] = []
    while let event = try reader.next() { events.append(event) }
    return events
  }

  private static func frame(_ first: UInt8, _ payload: [UInt8] = []) -> [UInt8] { RawClient.masked(first, payload) }

  /// RFC 7692, 7.2.3: "Hello" in each of the ways.
  static let hello: [[UInt8]] = [
    [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00],
    [0x00, 0x05, 0x00, 0xfa, 0xff, 0x48, 0x65, 0x6c, 0x6c, 0x6f, 0x00],
    [0xf3, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00, 0x00],
    [0xf2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xff, 0xff, 0xca, 0xc9, 0xc9, 0x07, 0x00],
  ]

  @Test("The RFC's examples are read, whole and in pieces", arguments: hello)
  func examples(_ payload: [UInt8]) throws {
    let expected = [FrameReader.Event.message(ByteBuffer(string: "Hello"))]
    #expect(try Self.read(Self.frame(0xc1, payload)) == expected)
    for cut in 0...payload.count {
      let pieces = Self.frame(0x41, Array(payload[..<cut])) + Self.frame(0x80, Array(payload[cut...]))
      #expect(try Self.read(pieces) == (cut == 0 ? [.emptyFragment] : []) + expected)
    }
  }

  @Test("Messages come one after the other, compressed or not, with a ping between the pieces of one")
  func mixed() throws {
    let compressed = Self.hello[0]
    let bytes =
      Self.frame(0xc1, compressed) + Self.frame(0x81, [0x61]) + Self.frame(0x41, Array(compressed[..<3]))
      + Self.frame(0x89, [1]) + Self.frame(0x80, Array(compressed[3...])) + Self.frame(0xc1, [0x00])
      + Self.frame(0xc1, compressed)
    let hello = FrameReader.Event.message(ByteBuffer(string: "Hello"))
    #expect(
      try Self.read(bytes) == [
        hello, .message(ByteBuffer(string: "a")), .ping(ByteBuffer(bytes: [1])), hello, .message(ByteBuffer()), hello,
      ])
  }

  struct Broken: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]
    let code: UInt16
  }

  static let broken: [Broken] = [
    Broken(testDescription: "RSV1 on a ping", bytes: frame(0xc9), code: 1002),
    Broken(testDescription: "RSV1 on a close", bytes: frame(0xc8), code: 1002),
    Broken(testDescription: "RSV1 on a continuation", bytes: frame(0x41, [0xf2]) + frame(0xc0, [0x48]), code: 1002),
    Broken(testDescription: "RSV1 on a continuation alone", bytes: frame(0x01, [0x61]) + frame(0xc0), code: 1002),
    Broken(testDescription: "RSV1 and RSV2", bytes: frame(0xe1, hello[0]), code: 1002),
    Broken(testDescription: "binary data", bytes: frame(0xc2, hello[0]), code: 1003),
    Broken(testDescription: "no deflate stream", bytes: frame(0xc1, [0xff, 0xff, 0xff]), code: 1002),
    Broken(testDescription: "nothing", bytes: frame(0xc1), code: 1002),
    Broken(testDescription: "a stream that is cut off", bytes: frame(0xc1, [0xf2, 0x48, 0xcd]), code: 1002),
    Broken(testDescription: "a text instead", bytes: frame(0xc1, Array(#"{"type":"ping"}"#.utf8)), code: 1002),
    Broken(
      testDescription: "a reach back before the message",
      bytes: frame(0xc1, hello[0]) + frame(0xc1, [0xf2, 0x00, 0x11, 0x00, 0x00]), code: 1002),
    Broken(
      testDescription: "bad UTF-8", bytes: frame(0xc1, [0x00, 0x02, 0x00, 0xfd, 0xff, 0xc3, 0x28, 0x00]), code: 1007),
    Broken(
      testDescription: "an end inside a character",
      bytes: frame(0xc1, [0x00, 0x02, 0x00, 0xfd, 0xff, 0xe2, 0x82, 0x00]), code: 1007),
    Broken(testDescription: "over the limit as it came", bytes: [0xc1, 0xe5], code: 1009),
  ]

  @Test("A broken message is refused with the close code of its fault", arguments: broken)
  func refuses(_ broken: Broken) {
    do {
      _ = try Self.read(broken.bytes)
      Issue.record("nothing was refused")
    } catch {
      #expect((error as? FrameReader.Violation)?.reason.code == broken.code)
    }
  }

  @Test("The limit holds for the decompressed size of a message, to the byte")
  func limit() throws {
    let payload = Self.hello[0]
    #expect(try Self.read(Self.frame(0xc1, payload), limit: 7) == [.message(ByteBuffer(string: "Hello"))])
    let inflater = Inflater()
    #expect(try inflater.inflate(ByteBuffer(bytes: payload), atMost: 5) == ByteBuffer(string: "Hello"))
    #expect(throws: Inflater.InflateError.tooBig) { try inflater.inflate(ByteBuffer(bytes: payload), atMost: 4) }
  }

  @Test("Any bytes give a message within the limit or an error, and do no harm to the next one")
  func garbage() throws {
    let inflater = Inflater()
    let good = Array(Deflated.payload(of: String(repeating: "seven little words that come again ", count: 20)))
    var state: UInt64 = 11
    func next(below bound: Int) -> Int {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Int(state >> 33) % bound
    }
    var outcomes: Set<String> = []
    for round in 0..<4_000 {
      var bytes = good
      if round.isMultiple(of: 2) {
        bytes = (0..<next(below: 60)).map { _ in UInt8(next(below: 256)) }
      } else {
        bytes[next(below: bytes.count)] ^= UInt8(1 << next(below: 8))
      }
      do throws(Inflater.InflateError) {
        let message = try inflater.inflate(ByteBuffer(bytes: bytes), atMost: 650)
        #expect(message.readableBytes <= 650)
        outcomes.insert("message")
      } catch {
        outcomes.insert("\(error)")
      }
    }
    #expect(outcomes == ["message", "invalid", "tooBig"])
    #expect(try inflater.inflate(ByteBuffer(bytes: Self.hello[0]), atMost: 5) == ByteBuffer(string: "Hello"))
  }

  @Test("After our close frame, messages before the peer's are not decompressed")
  func closing() throws {
    var reader = FrameReader(limit: 4, inflater: Inflater())
    reader.skipsTexts = true
    reader.append(ByteBuffer(bytes: Self.frame(0x41, [0xf2]) + Self.frame(0x80, [0xff]) + Self.frame(0x88)))
    #expect(try reader.next() == .message(ByteBuffer(bytes: [0xf2, 0xff])))
    #expect(try reader.next() == .close(code: nil))
  }

  @Test("A message that would become too large is decompressed only up to the limit")
  func bomb() throws {
    // A stored byte, then blocks that repeat it 258 times with each two bits: 64 KB for over 60 MB.
    let block: [UInt8] = Array(Deflated.payload(of: String(repeating: "x", count: 262_000)))
    let bomb = Array(repeatElement(block + [0x00, 0x00, 0xff, 0xff], count: 64_000 / (block.count + 4)).joined())
    #expect(bomb.count * 200 < 262_000 * (64_000 / (block.count + 4)))
    #expect(throws: FrameReader.Violation(reason: .messageTooBig)) {
      try Self.read(Self.frame(0xc1, bomb), limit: 65_536)
    }
    let inflater = Inflater()
    #expect(throws: Inflater.InflateError.tooBig) { try inflater.inflate(ByteBuffer(bytes: bomb), atMost: 65_536) }
    // And the next message finds nothing of it.
    #expect(try inflater.inflate(ByteBuffer(bytes: Self.hello[0]), atMost: 5) == ByteBuffer(string: "Hello"))
  }
}

/// What the gateway makes of texts.
enum Deflated {
  static func deflater(from minimum: Int = 1) -> Deflater {
    Deflater(minimum: minimum, counter: Counter(label: "test", factory: NOOPMetricsHandler.instance))
  }

  /// The payload of a text's frame.
  static func payload(of text: String) -> ByteBufferView {
    let frame = frame(text)
    return frame.readableBytesView.dropFirst(frame.readableBytes - 4 < 126 ? 2 : 4)
  }

  static func frame(_ text: String, by deflater: Deflater = deflater()) -> ByteBuffer {
    var bytes = ByteBuffer()
    FrameEncoder.text(text).withUnsafeBytes { deflater.append($0, to: &bytes) }
    return bytes
  }
}
