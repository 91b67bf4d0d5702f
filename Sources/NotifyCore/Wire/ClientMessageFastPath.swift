/// Reads `ack`, `read` and `ping` as clients write them: `{"type":"ack","ids":[7,8],"source":"public.note"}`, with or
/// without `source`, and with or without spaces between the tokens.
///
/// An `ack` may come for every row, and a JSON decoder allocates ten times for each id. Only these members in this order
/// are known here, integer ids and strings of ASCII without escapes; everything else, right or wrong, is left to the
/// decoder.
struct ClientMessageFastPath {
  private let text: UnsafeRawBufferPointer
  private var position = 0

  /// - Returns: the decoder's result; nil where only the decoder knows it.
  static func read(_ text: UnsafeRawBufferPointer) -> ClientMessage? {
    var reader = ClientMessageFastPath(text: text)
    return reader.message()
  }

  private init(text: UnsafeRawBufferPointer) { self.text = text }

  private mutating func message() -> ClientMessage? {
    guard take("{"), take("\"type\""), take(":") else { return nil }
    if take("\"ping\"") { return take("}") && position == text.count ? .ping : nil }
    let acknowledges = take("\"ack\"")
    guard acknowledges || take("\"read\"") else { return nil }
    guard take(","), take("\"ids\""), take(":"), take("["), let ids = ids() else { return nil }
    var source: String?
    if take(",") {
      guard take("\"source\""), take(":"), let name = string() else { return nil }
      source = name
    }
    guard take("}"), position == text.count else { return nil }
    return acknowledges ? .acknowledge(ids, source: source) : .read(ids, source: source)
  }

  /// The integers up to the closing bracket; nil for anything else, and for more than a message may have.
  private mutating func ids() -> [RowID]? {
    var ids: [RowID] = []
    if take("]") { return ids }
    // An id and its comma take at least two bytes: no second allocation, and none that is larger than the text allows.
    ids.reserveCapacity(min((text.count - position) / 2, Limits.idsPerMessage))
    repeat {
      guard ids.count < Limits.idsPerMessage, let id = integer() else { return nil }
      ids.append(.integer(id))
    } while take(",")
    return take("]") ? ids : nil
  }

  /// A JSON number without fraction and exponent (RFC 8259, section 6) that fits; not `-0`.
  private mutating func integer() -> Int64? {
    let isNegative = take("-")
    let first = position
    var value: Int64 = 0
    while position < text.count, text[position] >= UInt8(ascii: "0"), text[position] <= UInt8(ascii: "9") {
      let digit = Int64(text[position] - UInt8(ascii: "0"))
      let (shifted, shiftOverflows) = value.multipliedReportingOverflow(by: 10)
      let (sum, sumOverflows) =
        isNegative ? shifted.subtractingReportingOverflow(digit) : shifted.addingReportingOverflow(digit)
      if shiftOverflows || sumOverflows { return nil }
      value = sum
      position += 1
    }
    let digits = position - first
    if digits == 0 || digits > 1 && text[first] == UInt8(ascii: "0") || isNegative && value == 0 { return nil }
    return value
  }

  /// A JSON string of ASCII without escapes.
  private mutating func string() -> String? {
    guard take("\"") else { return nil }
    let first = position
    while position < text.count, text[position] != UInt8(ascii: "\"") {
      guard (0x20..<0x7F).contains(text[position]), text[position] != UInt8(ascii: "\\") else { return nil }
      position += 1
    }
    guard position < text.count else { return nil }
    defer { position += 1 }
    return String(decoding: text[first..<position], as: UTF8.self)
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 }

  /// Goes past blanks, and past `token` where it comes next.
  private mutating func take(_ token: StaticString) -> Bool {
    while position < text.count, Self.isBlank(text[position]) { position += 1 }
    let end = position + token.utf8CodeUnitCount
    guard end <= text.count else { return false }
    for offset in 0..<token.utf8CodeUnitCount where text[position + offset] != token.utf8Start[offset] { return false }
    position = end
    return true
  }
}
