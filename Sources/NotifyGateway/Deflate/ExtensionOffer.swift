/// One extension that a client offers in `Sec-WebSocket-Extensions` (RFC 6455, 9.1).
struct ExtensionOffer: Equatable {
  /// A parameter; its value is nil where it has none.
  struct Parameter: Equatable {
    let name: String
    let value: String?
  }

  let name: String
  let parameters: [Parameter]

  /// The header is not as RFC 6455 has it.
  struct Malformed: Error {}

  /// Reads all offers, in the client's order of preference.
  ///
  /// - Parameter fields: the header's values; several mean the same as one with commas between them.
  static func read(_ fields: [String]) throws(Malformed) -> [ExtensionOffer] {
    var offers: [ExtensionOffer] = []
    for field in fields {
      var scanner = Scanner(field)
      repeat {
        // RFC 9110, 5.6.1: elements of a list may be empty.
        if scanner.isAtSeparator { continue }
        offers.append(try scanner.offer())
      } while scanner.take(",")
      guard scanner.isAtEnd else { throw Malformed() }
    }
    return offers
  }

  private struct Scanner {
    private var rest: Substring.UTF8View

    init(_ text: String) { rest = Substring(text).utf8 }

    private mutating func skipBlanks() {
      rest = rest.drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    }

    var isAtEnd: Bool { rest.isEmpty }

    var isAtSeparator: Bool {
      mutating get {
        skipBlanks()
        return rest.isEmpty || rest.first == UInt8(ascii: ",")
      }
    }

    /// Takes a character, with blanks around it, if it comes next.
    mutating func take(_ character: Unicode.Scalar) -> Bool {
      skipBlanks()
      guard rest.first == UInt8(ascii: character) else { return false }
      rest = rest.dropFirst()
      skipBlanks()
      return true
    }

    mutating func offer() throws(Malformed) -> ExtensionOffer {
      let name = try token()
      var parameters: [Parameter] = []
      while take(";") {
        let name = try token()
        parameters.append(Parameter(name: name, value: take("=") ? try value() : nil))
      }
      return ExtensionOffer(name: name, parameters: parameters)
    }

    private mutating func token() throws(Malformed) -> String {
      let token = rest.prefix(while: RequestRules.isTokenByte)
      guard !token.isEmpty else { throw Malformed() }
      rest = rest.dropFirst(token.count)
      return String(Substring(token))
    }

    /// A token, or a quoted string that is one once it is unquoted.
    private mutating func value() throws(Malformed) -> String {
      guard rest.first == UInt8(ascii: "\"") else { return try token() }
      rest = rest.dropFirst()
      var bytes: [UInt8] = []
      while let byte = rest.popFirst() {
        switch byte {
        case UInt8(ascii: "\""):
          guard !bytes.isEmpty, bytes.allSatisfy(RequestRules.isTokenByte) else { throw Malformed() }
          return String(decoding: bytes, as: UTF8.self)
        case UInt8(ascii: "\\"):
          guard let escaped = rest.popFirst() else { throw Malformed() }
          bytes.append(escaped)
        default:
          bytes.append(byte)
        }
      }
      throw Malformed()
    }
  }
}
