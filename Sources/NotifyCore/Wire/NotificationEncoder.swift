/// Writes the frames of rows, one after the other: as bytes, and the parts that rows have in common only once.
package struct NotificationEncoder: Sendable {
  private static let opening = Array(#"{"type":"notification","id":"#.utf8)
  private static let source = Array(#","source":"#.utf8)
  private static let createdAt = Array(#","created_at":""#.utf8)
  private static let cursor = Array(#","cursor":""#.utf8)
  private static let data = Array(#","data":"#.utf8)
  private static let null = Array("null".utf8)

  private var timestamps = TimestampWriter()
  /// The bytes before the payload; kept for its memory.
  private var head: [UInt8] = []

  package init() {}

  /// Appends one frame with a row.
  ///
  /// - Parameters:
  ///   - source: the table's name as a JSON string, where messages name it.
  ///   - createdAt: microseconds since 1970 UTC, nil where the row has none.
  ///   - cursor: where this row vouches for all before it.
  ///   - data: the row's payload as PostgreSQL wrote it, copied byte for byte; empty for SQL NULL.
  package mutating func append(
    id: RowID, source: String?, createdAt: Int64?, cursor: String?, data: UnsafeRawBufferPointer,
    to bytes: inout [UInt8]
  ) {
    head.removeAll(keepingCapacity: true)
    head += Self.opening
    switch id {
    case .integer(let number): head.appendDecimal(number)
    case .text(let text): head += JSONText.string(text).utf8
    }
    if let source {
      head += Self.source
      head += source.utf8
    }
    if let createdAt {
      head += Self.createdAt
      timestamps.append(microseconds: createdAt, to: &head)
      head.append(UInt8(ascii: "\""))
    }
    if let cursor {
      head += Self.cursor
      head += cursor.utf8
      head.append(UInt8(ascii: "\""))
    }
    head += Self.data
    FrameEncoder.appendTextHeader(
      payloadLength: head.count + (data.isEmpty ? Self.null.count : data.count) + 1, to: &bytes)
    bytes += head
    if data.isEmpty { bytes += Self.null } else { bytes.append(contentsOf: data) }
    bytes.append(UInt8(ascii: "}"))
  }
}

/// Writes timestamps as `Timestamp.text` does; those within one second share the work.
struct TimestampWriter: Sendable {
  private var second: Int64?
  /// `2026-11-23T08:00:00.`
  private var prefix: [UInt8] = []

  mutating func append(microseconds: Int64, to bytes: inout [UInt8]) {
    let fraction = ((microseconds % 1_000_000) + 1_000_000) % 1_000_000
    guard microseconds != .min, microseconds != .max, microseconds > .min + fraction else {
      bytes += Timestamp.text(microseconds: microseconds).utf8
      return
    }
    let second = microseconds - fraction
    if second != self.second {
      self.second = second
      prefix = Timestamp.text(microseconds: second).utf8.dropLast(12)
    }
    bytes += prefix
    bytes.appendDecimal(fraction, digits: 6)
    bytes += "+00:00".utf8
  }
}
