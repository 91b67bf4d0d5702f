import NIOCore
import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("Frames of a client are read by the rules of RFC 6455")
struct FramingTests {
  private static func read(_ bytes: [UInt8], limit: Int = 100) throws -> [FrameReader.Event] {
    var reader = FrameReader(limit: limit)
    reader.append(ByteBuffer(bytes: bytes))
    var events: [FrameReader.Event] = []
    while let event = try reader.next() { events.append(event) }
    return events
  }

  private static func frame(_ first: UInt8, _ payload: [UInt8] = []) -> [UInt8] { RawClient.masked(first, payload) }

  struct Broken: CustomTestStringConvertible, Sendable {
    let testDescription: String
    let bytes: [UInt8]
    let code: UInt16
  }

  static let broken: [Broken] = [
    Broken(testDescription: "an unmasked frame", bytes: [0x81, 1, 0x61], code: 1002),
    Broken(testDescription: "RSV1 that was not agreed on", bytes: frame(0xc1), code: 1002),
    Broken(testDescription: "RSV2", bytes: frame(0xa1), code: 1002),
    Broken(testDescription: "RSV3", bytes: frame(0x91), code: 1002),
    Broken(testDescription: "a reserved opcode", bytes: frame(0x83), code: 1002),
    Broken(testDescription: "a reserved control opcode", bytes: frame(0x8b), code: 1002),
    Broken(testDescription: "binary data", bytes: frame(0x82, [1]), code: 1003),
    Broken(testDescription: "a fragmented ping", bytes: frame(0x09), code: 1002),
    Broken(testDescription: "a ping of 126 bytes", bytes: frame(0x89, Array(repeating: 0, count: 126)), code: 1002),
    Broken(testDescription: "a continuation of nothing", bytes: frame(0x80), code: 1002),
    Broken(testDescription: "a new message inside another", bytes: frame(0x01) + frame(0x81), code: 1002),
    Broken(testDescription: "a length written too long", bytes: [0x81, 0xfe, 0, 5, 0, 0, 0, 0], code: 1002),
    Broken(
      testDescription: "a 64-bit length written too long", bytes: [0x81, 0xff, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0],
      code: 1002),
    Broken(
      testDescription: "a length with its top bit", bytes: [0x81, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
      code: 1002),
    Broken(testDescription: "a message over the limit", bytes: [0x81, 0xe5], code: 1009),
    Broken(
      testDescription: "fragments over the limit together",
      bytes: frame(0x01, Array(repeating: 0x61, count: 60)) + [0x80, 0x80 | 41], code: 1009),
    Broken(testDescription: "bad UTF-8", bytes: frame(0x81, [0xc3, 0x28]), code: 1007),
    Broken(testDescription: "a surrogate", bytes: frame(0x81, [0xed, 0xa0, 0x80]), code: 1007),
    Broken(testDescription: "an overlong character", bytes: frame(0x81, [0xc0, 0xaf]), code: 1007),
    Broken(testDescription: "a character beyond U+10FFFF", bytes: frame(0x81, [0xf4, 0x90, 0x80, 0x80]), code: 1007),
    Broken(testDescription: "a message that ends inside a character", bytes: frame(0x81, [0xe2, 0x82]), code: 1007),
    Broken(
      testDescription: "a character broken by its second fragment",
      bytes: frame(0x01, [0xe2, 0x82]) + frame(0x00, [0x28]),
      code: 1007),
    Broken(testDescription: "a close of one byte", bytes: frame(0x88, [3]), code: 1002),
    Broken(testDescription: "a close with bad UTF-8", bytes: frame(0x88, [0x03, 0xe8, 0xff]), code: 1007),
  ]

  @Test("A broken frame is refused with the close code of its fault", arguments: broken)
  func refuses(_ broken: Broken) {
    do {
      _ = try Self.read(broken.bytes)
      Issue.record("nothing was refused")
    } catch {
      #expect((error as? FrameReader.Violation)?.reason.code == broken.code)
    }
  }

  @Test("Close codes that may not be sent are refused", arguments: [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000])
  func refusesCloseCode(_ code: Int) {
    #expect(throws: FrameReader.Violation(reason: .protocolError)) {
      try Self.read(Self.frame(0x88, [UInt8(code >> 8), UInt8(code & 0xff)]))
    }
  }

  @Test("Close codes that may be sent are read", arguments: [1000, 1001, 1003, 1007, 1011, 1014, 3000, 4999])
  func readsCloseCode(_ code: Int) throws {
    let events = try Self.read(Self.frame(0x88, [UInt8(code >> 8), UInt8(code & 0xff)]))
    #expect(events == [.close(code: UInt16(code))])
  }

  @Test("Fragments are put together, over a ping between them and a character across them")
  func fragments() throws {
    let bytes =
      Self.frame(0x01, [0xe2]) + Self.frame(0x89, [1]) + Self.frame(0x00, [0x82, 0xac]) + Self.frame(0x80)
      + Self.frame(0x81)
    #expect(
      try Self.read(bytes) == [
        .ping(ByteBuffer(bytes: [1])), .message(ByteBuffer(string: "€")), .message(ByteBuffer()),
      ])
  }

  @Test("Frames are the same whole or in single bytes", arguments: [0, 125, 126, 65_535, 65_536])
  func pieces(_ length: Int) throws {
    let text = Array(repeating: UInt8(ascii: "x"), count: length)
    var reader = FrameReader(limit: 70_000)
    var events: [FrameReader.Event] = []
    for byte in Self.frame(0x81, text) + Self.frame(0x88) {
      reader.append(ByteBuffer(bytes: [byte]))
      while let event = try reader.next() { events.append(event) }
    }
    #expect(events == [.message(ByteBuffer(bytes: text)), .close(code: nil)])
  }

  @Test(
    "Bad UTF-8 is refused before its frame has come to its end",
    arguments: [[], frame(0x01, [0x61]), frame(0x01, [0xf0, 0x9f])])
  func refusesEarly(_ before: [UInt8]) throws {
    let text: [UInt8] = before.count > 7 ? [0x98, 0x80] : Array("κό".utf8)
    let start = Self.frame(before.isEmpty ? 0x81 : 0x80, text + [0xed, 0xa0, 0x80, 0x61]).dropLast(2)
    var reader = FrameReader(limit: 100)
    reader.append(ByteBuffer(bytes: before))
    // Byte by byte: what was validated is not validated again.
    for byte in start.dropLast() {
      #expect(try reader.next() == nil)
      reader.append(ByteBuffer(bytes: [byte]))
    }
    #expect(try reader.next() == nil)
    reader.append(ByteBuffer(bytes: start.suffix(1)))
    #expect(throws: FrameReader.Violation(reason: .invalidText)) { try reader.next() }
  }

  @Test("Binary messages are read where they are taken")
  func binary() throws {
    var reader = FrameReader(limit: 100, takesBinary: true)
    reader.append(ByteBuffer(bytes: Self.frame(0x02, [0xff]) + Self.frame(0x80, [0xfe])))
    #expect(try reader.next() == .binary(ByteBuffer(bytes: [0xff, 0xfe])))
  }

  @Test("One second's share of messages may come at once, and no more")
  func rate() {
    var rate = MessageRate(perSecond: 5, now: .uptimeNanoseconds(0))
    let accepted = (0..<6).map { _ in rate.accept(at: .uptimeNanoseconds(1)) }
    #expect(accepted == [true, true, true, true, true, false])
    // Exactly at the rate, for long.
    var steady = MessageRate(perSecond: 5, now: .uptimeNanoseconds(0))
    let all = (1...1_000).map { steady.accept(at: .uptimeNanoseconds($0 * 200_000_000)) }
    #expect(!all.contains(false))
  }

  @Test("Empty parts of a message are reported, since no bound of bytes counts them")
  func emptyFragments() throws {
    let parts = Self.frame(0x01) + Self.frame(0x00) + Self.frame(0x00, [0x61]) + Self.frame(0x00) + Self.frame(0x80)
    #expect(
      try Self.read(parts)
        == [.emptyFragment, .emptyFragment, .emptyFragment, .message(ByteBuffer(string: "a"))])
  }
}
