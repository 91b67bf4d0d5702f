/// Writes WebSocket text frames of a server: whole, unmasked, uncompressed (RFC 6455, 5.2).
package enum FrameEncoder {
  /// One frame with a message of the bridge.
  package static func text(_ message: String) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(message.utf8.count + 10)
    appendTextHeader(payloadLength: message.utf8.count, to: &bytes)
    bytes.append(contentsOf: message.utf8)
    return bytes
  }

  /// Appends one frame with a row.
  ///
  /// - Parameters:
  ///   - source: the table's name as a JSON string, where messages name it.
  ///   - createdAt: microseconds since 1970 UTC, nil where the row has none.
  ///   - cursor: where this row vouches for all before it.
  ///   - data: the row's payload as PostgreSQL wrote it, copied byte for byte; empty for SQL NULL.
  package static func appendNotification(
    id: RowID, source: String?, createdAt: Int64?, cursor: String?, data: UnsafeRawBufferPointer,
    to bytes: inout [UInt8]
  ) {
    var head = #"{"type":"notification","id":"#
    head += JSONText.id(id)
    if let source {
      head += #","source":"#
      head += source
    }
    if let createdAt {
      head += #","created_at":""#
      head += Timestamp.text(microseconds: createdAt)
      head += #"""#
    }
    if let cursor {
      head += #","cursor":""#
      head += cursor
      head += #"""#
    }
    head += #","data":"#
    let null: StaticString = "null"
    appendTextHeader(payloadLength: head.utf8.count + (data.isEmpty ? 4 : data.count) + 1, to: &bytes)
    bytes.append(contentsOf: head.utf8)
    if data.isEmpty {
      bytes.append(contentsOf: UnsafeBufferPointer(start: null.utf8Start, count: 4))
    } else {
      bytes.append(contentsOf: data)
    }
    bytes.append(UInt8(ascii: "}"))
  }

  private static func appendTextHeader(payloadLength: Int, to bytes: inout [UInt8]) {
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
