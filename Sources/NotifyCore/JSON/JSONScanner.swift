/// Finds where JSON values end, without reading them.
///
/// It accepts JSON (RFC 8259), and like Python's `json` also `NaN`, `Infinity`, `-Infinity` and lone surrogates in strings.
/// Numbers have any length. Nesting costs one bit a level and no recursion: only the size of the text bounds it.
struct JSONScanner {
  let text: UnsafeRawBufferPointer
  private(set) var position = 0

  init(_ text: UnsafeRawBufferPointer) { self.text = text }

  var isAtEnd: Bool { position == text.count }

  mutating func skipBlanks() {
    while position < text.count {
      switch text[position] {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): position += 1
      default: return
      }
    }
  }

  /// Skips a byte where it comes next.
  mutating func take(_ byte: UInt8) -> Bool {
    guard position < text.count, text[position] == byte else { return false }
    position += 1
    return true
  }

  /// Skips blanks and one value; false where none follows.
  mutating func skipValue() -> Bool {
    var nesting = Nesting()
    while true {
      skipBlanks()
      if take(UInt8(ascii: "{")) {
        skipBlanks()
        if !take(UInt8(ascii: "}")) {
          nesting.open(isObject: true)
          guard skipName() else { return false }
          continue
        }
      } else if take(UInt8(ascii: "[")) {
        skipBlanks()
        if !take(UInt8(ascii: "]")) {
          nesting.open(isObject: false)
          continue
        }
      } else {
        guard skipScalar() else { return false }
      }
      // A value has ended, and perhaps the arrays and objects that it is the last of.
      while true {
        guard let isObject = nesting.isObject else { return true }
        skipBlanks()
        if take(UInt8(ascii: ",")) {
          if isObject, !skipName() { return false }
          break
        }
        guard take(isObject ? UInt8(ascii: "}") : UInt8(ascii: "]")) else { return false }
        nesting.close()
      }
    }
  }

  /// Skips blanks, a member's name and the colon behind it.
  mutating func skipName() -> Bool {
    skipBlanks()
    guard skipString() else { return false }
    skipBlanks()
    return take(UInt8(ascii: ":"))
  }

  /// Skips a string.
  mutating func skipString() -> Bool {
    guard take(UInt8(ascii: "\"")) else { return false }
    while position < text.count {
      let byte = text[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return true
      case UInt8(ascii: "\\"): guard skipEscape() else { return false }
      case 0..<0x20: return false
      default: break
      }
    }
    return false
  }

  private mutating func skipEscape() -> Bool {
    guard position < text.count else { return false }
    let byte = text[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
      UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
      return true
    case UInt8(ascii: "u"):
      guard position + 4 <= text.count, text[position..<position + 4].allSatisfy({ Self.hexDigit($0) != nil }) else {
        return false
      }
      position += 4
      return true
    default:
      return false
    }
  }

  private mutating func skipScalar() -> Bool {
    guard position < text.count else { return false }
    switch text[position] {
    case UInt8(ascii: "\""): return skipString()
    case UInt8(ascii: "t"): return skip("true")
    case UInt8(ascii: "f"): return skip("false")
    case UInt8(ascii: "n"): return skip("null")
    case UInt8(ascii: "N"): return skip("NaN")
    default:
      _ = take(UInt8(ascii: "-"))
      return skip("Infinity") || skipNumber()
    }
  }

  /// Skips a number without its sign.
  private mutating func skipNumber() -> Bool {
    let startsWithZero = take(UInt8(ascii: "0"))
    // `01` is no number.
    guard skipDigits() != startsWithZero else { return false }
    if take(UInt8(ascii: ".")), !skipDigits() { return false }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      _ = take(UInt8(ascii: "-")) || take(UInt8(ascii: "+"))
      return skipDigits()
    }
    return true
  }

  /// Skips digits; false where none follows.
  private mutating func skipDigits() -> Bool {
    let start = position
    while position < text.count, UInt8(ascii: "0")...UInt8(ascii: "9") ~= text[position] { position += 1 }
    return position > start
  }

  private mutating func skip(_ word: StaticString) -> Bool {
    let end = position + word.utf8CodeUnitCount
    guard end <= text.count else { return false }
    for offset in 0..<word.utf8CodeUnitCount where text[position + offset] != word.utf8Start[offset] { return false }
    position = end
    return true
  }

  /// The value of a hexadecimal digit, of either case.
  static func hexDigit(_ byte: UInt8) -> UInt32? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): UInt32(byte - UInt8(ascii: "0"))
    case UInt8(ascii: "a")...UInt8(ascii: "f"): UInt32(byte - UInt8(ascii: "a")) + 10
    case UInt8(ascii: "A")...UInt8(ascii: "F"): UInt32(byte - UInt8(ascii: "A")) + 10
    default: nil
    }
  }
}

/// The open arrays and objects, a bit for each; allocates beyond 64.
private struct Nesting {
  private var depth = 0
  private var innermost: UInt64 = 0
  private var outer: [UInt64] = []

  /// Whether the innermost is an object; nil where none is open.
  var isObject: Bool? { depth == 0 ? nil : innermost & 1 == 1 }

  mutating func open(isObject: Bool) {
    if depth > 0, depth.isMultiple(of: 64) { outer.append(innermost) }
    innermost = innermost << 1 | (isObject ? 1 : 0)
    depth += 1
  }

  mutating func close() {
    innermost >>= 1
    depth -= 1
    if depth > 0, depth.isMultiple(of: 64) { innermost = outer.removeLast() }
  }
}
