@testable import NotifyCore

/// Any JSON: `JSONScanner`, `JSONValue`, `JSONString`, `JSONText`.
enum JSON {
  static func run(_ input: Input) {
    let bytes = Array(input.bytes)
    let kind = kind(of: bytes)
    let padded = [0x20, 0x0a] + bytes + [0x09, 0x0d]
    check(self.kind(of: padded) == kind, "blanks change nothing")
    let inArray = Array("[0,".utf8) + bytes + Array("]".utf8)
    if kind != nil { check(inArray.withUnsafeBytes { JSONValue($0) } != nil, "a value may be an element") }
    let quoted = Array(JSONText.string(input.text).utf8)
    check(
      quoted.withUnsafeBytes { JSONValue($0)?.string.map { Array($0.utf8) } } == Array(input.text.utf8),
      "a string that is written and read is the same")
  }

  private static func kind(of bytes: [UInt8]) -> String? { JSONValue.read(bytes) { $0.map { kind(of: $0) } } }

  /// Reads a value as each kind, with all in it.
  private static func kind(of value: JSONValue, depth: Int = 0) -> String {
    var kinds: [String] = []
    if value.isNull { kinds.append("null") }
    if let number = value.integer {
      check(value.double == Double(number), "an integer is a number")
      kinds.append("\(number)")
    }
    if let number = value.double { kinds.append("\(number.bitPattern)") }
    if let text = value.string { kinds.append("string \(text)") }
    if let elements = value.elements {
      // Deeper than any token or message needs, and no deeper than this function's own stack.
      kinds.append("[" + (depth < 8 ? elements.prefix(64).map { kind(of: $0, depth: depth + 1) }.joined() : "") + "]")
    }
    for name in ["", "a", "type", "ids", "alg", "ä"] where value.isObject {
      if let member = value[name], depth < 8 { kinds.append("\(name): \(kind(of: member, depth: depth + 1))") }
    }
    if let user = UserID(value) {
      check(UserID(user.text) == user, "a user's text names the user")
      check((1...Limits.userIDBytes).contains(user.text.utf8.count), "a user's id is within its limit")
    }
    return kinds.joined(separator: " ")
  }
}
