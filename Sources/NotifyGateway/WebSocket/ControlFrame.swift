import NIOCore
import NotifyCore

/// Writes a server's control frames (RFC 6455, 5.5).
enum ControlFrame {
  /// An empty ping.
  static let ping: [UInt8] = [0x89, 0]

  /// The answer to a ping, with its payload.
  static func pong(_ payload: ByteBuffer) -> ByteBuffer {
    frame(0x8a, payload)
  }

  /// A close frame.
  static func close(_ reason: CloseReason) -> ByteBuffer {
    var payload = ByteBuffer(integer: reason.code)
    payload.writeString(reason.reason)
    return frame(0x88, payload)
  }

  /// The answer to a close frame: with its code, as RFC 6455 has it, or empty as it was.
  static func closeEcho(_ code: UInt16?) -> ByteBuffer {
    frame(0x88, code.map { ByteBuffer(integer: $0) } ?? ByteBuffer())
  }

  private static func frame(_ first: UInt8, _ payload: ByteBuffer) -> ByteBuffer {
    precondition(payload.readableBytes <= 125, "a control frame has at most 125 bytes")
    var frame = ByteBuffer(bytes: [first, UInt8(payload.readableBytes)])
    frame.writeImmutableBuffer(payload)
    return frame
  }
}
