import Metrics
import NIOCore
import NotifyCore

@testable import NotifyGateway

/// Frames of a client, with and without compression: `FrameReader`, `Inflater`, `Deflater`, `FrameEncoder`.
enum Frames {
  private struct Outcome: Equatable {
    var events: [FrameReader.Event] = []
    var violation: FrameReader.Violation?
  }

  private static let limits = [0, 16, 125, 300, 70_000]
  nonisolated(unsafe) private static let inflater = Inflater()
  private static let noCounter = Counter(label: "", factory: NOOPMetricsHandler.instance)
  nonisolated(unsafe) private static let deflater = Deflater(minimum: 1, windowBits: 9, counter: noCounter)

  static func run(_ input: Input) {
    var input = input
    let options = input.choice()
    let limit = limits[(options >> 2) % limits.count]
    let seed = input.choice()
    let make = { (limit: Int) in
      FrameReader(limit: limit, inflater: options & 1 == 1 ? inflater : nil, takesBinary: options & 2 == 2)
    }
    let whole = read([ByteBuffer(bytes: input.bytes)], make(limit))
    check(read(input.pieces(seed), make(limit)) == whole, "the events do not depend on how the bytes come")
    for event in whole.events { examine(event, limit) }
    // What begins no message of its own.
    let sent = whole.events.filter { $0 != .emptyFragment }
    check(
      read([ByteBuffer(bytes: sent.flatMap(encoded))], make(limit)) == Outcome(events: sent),
      "events that are sent again are the same")
    if options & 1 == 1 { deflate(whole.events) }
  }

  private static func read(_ pieces: [ByteBuffer], _ made: FrameReader) -> Outcome {
    var (reader, outcome) = (made, Outcome())
    do throws(FrameReader.Violation) {
      for piece in pieces {
        reader.append(piece)
        while let event = try reader.next() { outcome.events.append(event) }
      }
    } catch {
      outcome.violation = error
    }
    return outcome
  }

  private static func examine(_ event: FrameReader.Event, _ limit: Int) {
    switch event {
    case .message(let text):
      check(text.readableBytes <= limit, "a message is within its limit")
      check(String(validating: text.readableBytesView, as: UTF8.self) != nil, "a text is UTF-8")
    case .binary(let bytes): check(bytes.readableBytes <= limit, "a message is within its limit")
    case .ping(let payload): check(ControlFrame.pong(payload).readableBytes <= 127, "a pong can be written")
    case .close(let code?): check(ControlFrame.closeEcho(code).readableBytes == 4, "a close can be answered")
    case .close(nil), .pong, .emptyFragment: break
    }
  }

  /// An event as a client may send it.
  private static func encoded(_ event: FrameReader.Event) -> [UInt8] {
    switch event {
    case .message(let text): masked(FrameEncoder.frame(text.readableBytesView, isText: true))
    case .binary(let bytes): masked(FrameEncoder.frame(bytes.readableBytesView, isText: false))
    case .ping(let payload): masked([0x89, UInt8(payload.readableBytes)] + Array(payload.readableBytesView))
    case .pong: masked([0x8a, 0])
    case .emptyFragment: []
    case .close(let code):
      masked([0x88, code == nil ? 0 : 2] + (code.map { [UInt8($0 >> 8), UInt8($0 & 0xff)] } ?? []))
    }
  }

  /// A server's frame as a client's.
  private static func masked(_ frame: [UInt8]) -> [UInt8] {
    let header = frame[1] == 127 ? 10 : frame[1] == 126 ? 4 : 2
    let key: [UInt8] = [0x37, 0xfa, 0x21, 0x3d]
    return [frame[0], frame[1] | 0x80] + frame[2..<header] + key
      + frame[header...].enumerated().map { $1 ^ key[$0 & 3] }
  }

  private static func deflate(_ events: [FrameReader.Event]) {
    for case .message(let text) in events {
      var frame = ByteBuffer()
      FrameEncoder.frame(text.readableBytesView, isText: true).withUnsafeBytes { deflater.append($0, to: &frame) }
      let again = FrameReader(limit: text.readableBytes, inflater: inflater)
      let outcome = read([ByteBuffer(bytes: masked(Array(frame.readableBytesView)))], again)
      check(outcome == Outcome(events: [.message(text)]), "a message that is compressed and read is the same")
    }
  }
}
