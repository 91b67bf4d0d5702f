/// Checks UTF-8 that comes in pieces (RFC 3629; the ranges are those of Unicode's table 3-7).
struct UTF8Validator: Sendable {
  private var missing = 0
  private var lower: UInt8 = 0x80
  private var upper: UInt8 = 0xbf

  /// Whether the text could end here.
  var isComplete: Bool { missing == 0 }

  /// Checks the next piece; false where it can't be UTF-8 any more.
  mutating func accept(_ bytes: some Sequence<UInt8>) -> Bool {
    for byte in bytes {
      if missing > 0 {
        guard lower...upper ~= byte else { return false }
        missing -= 1
        (lower, upper) = (0x80, 0xbf)
        continue
      }
      switch byte {
      case 0x00...0x7f: continue
      case 0xc2...0xdf: missing = 1
      case 0xe0: (missing, lower) = (2, 0xa0)
      case 0xed: (missing, upper) = (2, 0x9f)
      case 0xe1...0xef: missing = 2
      case 0xf0: (missing, lower) = (3, 0x90)
      case 0xf1...0xf3: missing = 3
      case 0xf4: (missing, upper) = (3, 0x8f)
      default: return false
      }
    }
    return true
  }
}
