import Testing

@testable import NotifyAuth

@Suite("JSON and base64url are read strictly")
struct ReaderTests {
  @Test("Values are what they are")
  func values() throws {
    let text = #" {"a":[1,-1,0,1.5,1E2,true,false,null,"x\"\\\/\b\f\n\r\té\u00E9\uD834\uDD1E"],"b":{},"":[]} "#
    let value = try JSONReader.read(Array(text.utf8))
    #expect(
      value
        == .object([
          "a": .array([
            .integer(1), .integer(-1), .integer(0), .number(1.5), .number(100), .bool(true), .bool(false), .null,
            .string("x\"\\/\u{8}\u{C}\n\r\téé𝄞"),
          ]), "b": .object([:]), "": .array([]),
        ]))
  }

  @Test("Whole numbers that don't fit, and -0, are no integers")
  func numbers() throws {
    #expect(try JSONReader.read(Array("9223372036854775808".utf8)) == .number(9_223_372_036_854_775_808))
    #expect(try JSONReader.read(Array("-9223372036854775808".utf8)) == .integer(.min))
    #expect(try JSONReader.read(Array("-0".utf8)) == .number(0))
    #expect(try JSONReader.read(Array("1e-999".utf8)) == .number(0))
  }

  @Test(
    "Anything else is an error",
    arguments: [
      "", " ", "tru", "truex", "nul", "+1", "01", "-", "-01", ".5", "1.", "1e", "1e+", "1e999", "[1,]", "[1 2]", "[",
      "]", "{", #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{a:1}"#, #"{"a":1 "b":2}"#, #"{"a":1,"a":1}"#,
      #"{"a":1,"\u0061":2}"#, "\"", #""\"#, #""\x""#, #""\u12""#, #""\u12g4""#, #""\ud800""#, #""\ud800\u0041""#,
      #""\udc00""#, "\"\n\"", "\"\0\"", "1 1", "[]]", #"{"é":1,"é":2}"#, "/**/1",
    ])
  func errors(text: String) {
    #expect(throws: JSONError.self) { try JSONReader.read(Array(text.utf8)) }
  }

  @Test("Every beginning of a text is an error, never a crash")
  func beginnings() throws {
    let text = Array(#"{"a":[1,-1.5e2,true,null,"x\"\u00E9\uD834\uDD1E"],"b":{"c":"ä"}}"#.utf8)
    #expect(throws: Never.self) { try JSONReader.read(text) }
    for length in 0..<text.count {
      #expect(throws: JSONError.self) { try JSONReader.read(Array(text[..<length])) }
    }
  }

  @Test(
    "Broken UTF-8 is an error",
    arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF5, 0x80, 0x80, 0x80]] as [[UInt8]])
  func utf8(bytes: [UInt8]) {
    #expect(throws: JSONError.self) { try JSONReader.read([0x22] + bytes + [0x22]) }
    #expect(throws: JSONError.self) { try JSONReader.read([0x22] + bytes + Array(#"\n""#.utf8)) }
  }

  @Test("Nesting has a bound")
  func depth() throws {
    func nested(_ levels: Int) -> [UInt8] {
      Array((String(repeating: "[", count: levels) + String(repeating: "]", count: levels)).utf8)
    }
    #expect(throws: Never.self) { try JSONReader.read(nested(16)) }
    #expect(throws: JSONError.self) { try JSONReader.read(nested(17)) }
  }

  @Test("base64url has one text for one value (RFC 4648)")
  func base64() {
    for (text, value) in [("", ""), ("Zg", "f"), ("Zm8", "fo"), ("Zm9v", "foo"), ("Zm9vYg", "foob")] {
      #expect(Base64URL.decode(ArraySlice(Array(text.utf8))) == Array(value.utf8))
      #expect(Base64URL.encode(value.utf8) == text)
    }
    #expect(Base64URL.decode(ArraySlice(Array("-_8".utf8))) == [0xFB, 0xFF])
    for text in ["Z", "Zh", "Zm9", "Zg==", "Zm+v", "Zm/v", "Zm 9", "Zm9vY", "Zm9v\n", "Zé"] {
      #expect(Base64URL.decode(ArraySlice(Array(text.utf8))) == nil, "\(text)")
    }
  }
}
