/// Writes a server's WebSocket frames of messages: whole, unmasked, uncompressed (RFC 6455, 5.2).
package enum FrameEncoder {
  /// One frame with a message of the bridge.
  package static func text(_ message: String) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(message.utf8.count + 10)
    appendTextHeader(payloadLength: message.utf8.count, to: &bytes)
    bytes.append(contentsOf: message.utf8)
    return bytes
  }

  /// One frame with a text or binary message.
  package static func frame(_ message: some Collection<UInt8>, isText: Bool) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(message.count + 10)
    appendTextHeader(payloadLength: message.count, to: &bytes)
    if !isText { bytes[0] = 0x82 }
    bytes.append(contentsOf: message)
    return bytes
  }

  /// Appends the header of a text frame.
  static func appendTextHeader(payloadLength: Int, to bytes: inout [UInt8]) {
    bytes.append(0x81)  // FIN, text
    switch payloadLength {
    case ..<126:
      bytes.append(UInt8(payloadLength))
    case ..<65_536:
      bytes.append(126)
      bytes.append(UInt8(payloadLength >> 8))
      bytes.append(UInt8(payloadLength & 0xff))
    default:
      bytes.append(127)
      for shift in stride(from: 56, through: 0, by: -8) {
        bytes.append(UInt8(truncatingIfNeeded: payloadLength >> shift))
      }
    }
  }
}
