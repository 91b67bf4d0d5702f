import NotifyCore

/// Why a text isn't JSON that we take. Without position or excerpt: the text is part of a credential.
struct JSONError: Error, Equatable {}

/// A strict reader of JSON (RFC 8259): equal keys, numbers beyond a double, broken UTF-8 and deep nesting are errors.
struct JSONReader {
  private let bytes: [UInt8]
  private var position = 0

  /// Reads one value that fills the whole text.
  static func read(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
    var reader = JSONReader(bytes: bytes)
    let value = try reader.value(depth: 0)
    reader.skipSpace()
    guard reader.position == bytes.count else { throw JSONError() }
    return value
  }

  /// Reads an object's members.
  static func readObject(_ bytes: [UInt8]) throws(JSONError) -> [String: JSONValue] {
    guard let members = try read(bytes).object else { throw JSONError() }
    return members
  }

  private init(bytes: [UInt8]) { self.bytes = bytes }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0A || byte == 0x0D { position += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ byte: UInt8) throws(JSONError) {
    guard take(byte) else { throw JSONError() }
  }

  private mutating func value(depth: Int) throws(JSONError) -> JSONValue {
    guard depth < Limits.jsonDepth else { throw JSONError() }
    skipSpace()
    switch next {
    case UInt8(ascii: "{"): return .object(try object(depth: depth))
    case UInt8(ascii: "["): return .array(try array(depth: depth))
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try literal("true", .bool(true))
    case UInt8(ascii: "f"): return try literal("false", .bool(false))
    case UInt8(ascii: "n"): return try literal("null", .null)
    default: return try number()
    }
  }

  private mutating func literal(_ word: String, _ value: JSONValue) throws(JSONError) -> JSONValue {
    let end = position + word.utf8.count
    guard end <= bytes.count, bytes[position..<end].elementsEqual(word.utf8) else { throw JSONError() }
    position = end
    return value
  }

  private mutating func object(depth: Int) throws(JSONError) -> [String: JSONValue] {
    try expect(UInt8(ascii: "{"))
    var members: [String: JSONValue] = [:]
    skipSpace()
    if take(UInt8(ascii: "}")) { return members }
    while true {
      skipSpace()
      let key = try string()
      skipSpace()
      try expect(UInt8(ascii: ":"))
      let value = try value(depth: depth + 1)
      guard members.updateValue(value, forKey: key) == nil else { throw JSONError() }
      skipSpace()
      if take(UInt8(ascii: "}")) { return members }
      try expect(UInt8(ascii: ","))
    }
  }

  private mutating func array(depth: Int) throws(JSONError) -> [JSONValue] {
    try expect(UInt8(ascii: "["))
    var values: [JSONValue] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return values }
    while true {
      values.append(try value(depth: depth + 1))
      skipSpace()
      if take(UInt8(ascii: "]")) { return values }
      try expect(UInt8(ascii: ","))
    }
  }

  private mutating func digits() throws(JSONError) {
    let start = position
    while let byte = next, (0x30...0x39).contains(byte) { position += 1 }
    guard position > start else { throw JSONError() }
  }

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    let negative = take(UInt8(ascii: "-"))
    let first = next
    try digits()
    // `01` is no number of JSON.
    guard first != UInt8(ascii: "0") || position == start + (negative ? 2 : 1) else { throw JSONError() }
    var whole = true
    if take(UInt8(ascii: ".")) {
      whole = false
      try digits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      whole = false
      if !take(UInt8(ascii: "-")) { _ = take(UInt8(ascii: "+")) }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if whole, let integer = Int64(text), !(negative && integer == 0) { return .integer(integer) }
    guard let number = Double(text), number.isFinite else { throw JSONError() }
    return .number(number)
  }

  private mutating func string() throws(JSONError) -> String {
    try expect(UInt8(ascii: "\""))
    var start = position
    var text: [UInt8]?
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        let rest = bytes[start..<position]
        position += 1
        let whole = text.map { String(validating: $0 + rest, as: UTF8.self) } ?? String(validating: rest, as: UTF8.self)
        guard let whole else { throw JSONError() }
        return whole
      case UInt8(ascii: "\\"):
        var unescaped = (text ?? []) + bytes[start..<position]
        position += 1
        unescaped += Array(String(try escaped()).utf8)
        text = unescaped
        start = position
      case 0..<0x20: throw JSONError()
      default: position += 1
      }
    }
    throw JSONError()
  }

  /// Reads what follows a backslash.
  private mutating func escaped() throws(JSONError) -> Unicode.Scalar {
    guard let byte = next else { throw JSONError() }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{C}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"):
      let high = try fourDigits()
      if let scalar = Unicode.Scalar(high) { return scalar }
      // A surrogate: only the first of a pair with its second has a meaning.
      guard (0xD800..<0xDC00).contains(high), take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
        throw JSONError()
      }
      let low = try fourDigits()
      guard (0xDC00..<0xE000).contains(low),
        let scalar = Unicode.Scalar(0x10000 + (high - 0xD800) << 10 + (low - 0xDC00))
      else { throw JSONError() }
      return scalar
    default: throw JSONError()
    }
  }

  private mutating func fourDigits() throws(JSONError) -> UInt32 {
    let end = position + 4
    guard end <= bytes.count else { throw JSONError() }
    var value: UInt32 = 0
    for byte in bytes[position..<end] {
      guard let digit = Character(Unicode.Scalar(byte)).hexDigitValue else { throw JSONError() }
      value = value << 4 | UInt32(digit)
    }
    position = end
    return value
  }
}
