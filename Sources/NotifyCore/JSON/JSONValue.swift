/// A JSON value where it stands in its text: the bytes have to outlive it.
///
/// Reading is strict about the values used and tolerant about the rest. An accessor returns a value only where it is
/// exactly of its kind; other values are only skipped (`JSONScanner`). A name that occurs twice in an object has a value of
/// no kind: two programs could take different ones (RFC 7519, section 4).
package struct JSONValue {
  /// Exactly the value.
  private let text: UnsafeRawBufferPointer

  private init(valid text: UnsafeRawBufferPointer) { self.text = text }

  /// The value that fills a text, apart from blanks around it; nil where the text is no JSON.
  package init?(_ text: UnsafeRawBufferPointer) {
    var scanner = JSONScanner(text)
    scanner.skipBlanks()
    let start = scanner.position
    guard scanner.skipValue() else { return nil }
    self.text = UnsafeRawBufferPointer(rebasing: text[start..<scanner.position])
    scanner.skipBlanks()
    guard scanner.isAtEnd else { return nil }
  }

  /// Reads the value that fills a text; `body` gets nil where the text is no JSON.
  package static func read<Result>(_ bytes: [UInt8], _ body: (JSONValue?) -> Result) -> Result {
    bytes.withUnsafeBytes { body(JSONValue($0)) }
  }

  // MARK: Kinds

  package var isObject: Bool { text.first == UInt8(ascii: "{") }

  package var isNull: Bool { text.first == UInt8(ascii: "n") }

  /// A number written without fraction and exponent that fits; `-0` isn't one.
  package var integer: Int64? { DecimalInteger.read(text) }

  /// A finite number.
  package var double: Double? {
    guard let digit = text.first(where: { $0 != UInt8(ascii: "-") }), UInt8(ascii: "0")...UInt8(ascii: "9") ~= digit,
      let number = Double(String(decoding: text, as: UTF8.self)), number.isFinite
    else { return nil }
    return number
  }

  /// A string of valid UTF-8 without lone surrogates.
  package var string: String? { JSONString.read(text) }

  /// The elements of an array.
  package var elements: Elements? { text.first == UInt8(ascii: "[") ? Elements(text) : nil }

  /// The member of this name of an object.
  package subscript(name: String) -> JSONValue? {
    guard isObject else { return nil }
    var found: JSONValue?
    var scanner = JSONScanner(text)
    _ = scanner.take(UInt8(ascii: "{"))
    repeat {
      scanner.skipBlanks()
      let start = scanner.position
      guard scanner.skipString() else { break }
      let isNamed = JSONString.isEqual(scanner.text[start..<scanner.position], to: name)
      scanner.skipBlanks()
      _ = scanner.take(UInt8(ascii: ":"))
      let value = Self.next(&scanner)
      if isNamed { found = found == nil ? value : JSONValue(valid: UnsafeRawBufferPointer(start: nil, count: 0)) }
      scanner.skipBlanks()
    } while scanner.take(UInt8(ascii: ","))
    return found
  }

  private static func next(_ scanner: inout JSONScanner) -> JSONValue {
    scanner.skipBlanks()
    let start = scanner.position
    let isValue = scanner.skipValue()
    precondition(isValue, "a value was made of a text that is no JSON")
    return JSONValue(valid: UnsafeRawBufferPointer(rebasing: scanner.text[start..<scanner.position]))
  }

  /// The elements of an array, one after the other.
  package struct Elements: Sequence, IteratorProtocol {
    private var scanner: JSONScanner
    private var isFirst = true

    fileprivate init(_ text: UnsafeRawBufferPointer) { scanner = JSONScanner(text) }

    package mutating func next() -> JSONValue? {
      scanner.skipBlanks()
      guard scanner.take(isFirst ? UInt8(ascii: "[") : UInt8(ascii: ",")) else { return nil }
      scanner.skipBlanks()
      if isFirst, scanner.take(UInt8(ascii: "]")) { return nil }
      isFirst = false
      return JSONValue.next(&scanner)
    }
  }
}
