import Testing

@testable import NotifyCore

/// What a value is, for comparison.
indirect enum JSON: Equatable {
  case null
  case bool(Bool)
  case integer(Int64)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])
  /// JSON that nothing can be read from: of no kind, or too large for its kind.
  case unusable

  /// Reads all of a text; nil where it is no JSON.
  ///
  /// - Parameter names: the members that an object is asked for.
  static func read(_ text: some Sequence<UInt8>, names: [String] = []) -> JSON? {
    JSONValue.read(Array(text)) { $0.map { JSON($0, names) } }
  }

  static func read(_ text: String, names: [String] = []) -> JSON? { read(text.utf8, names: names) }

  private init(_ value: JSONValue, _ names: [String]) {
    if value.isNull {
      self = .null
    } else if let number = value.integer {
      self = .integer(number)
    } else if let number = value.double {
      self = .number(number)
    } else if let text = value.string {
      self = .string(text)
    } else if let elements = value.elements {
      self = .array(elements.map { JSON($0, names) })
    } else if value.isObject {
      self = .object(
        Dictionary(uniqueKeysWithValues: names.compactMap { name in value[name].map { (name, JSON($0, names)) } }))
    } else {
      self = .unusable
    }
  }
}

@Suite("JSON is read strictly where it is used, and skipped tolerantly elsewhere")
struct JSONTests {
  @Test("Values are what they are")
  func values() {
    let text = #" {"a":[1,-1,0,1.5,1E2,true,false,null,"x\"\\\/\b\f\n\r\té\u00E9\uD834\uDD1E"],"b":{},"":[]} "#
    #expect(
      JSON.read(text, names: ["a", "b", "", "c"])
        == .object([
          "a": .array([
            .integer(1), .integer(-1), .integer(0), .number(1.5), .number(100), .unusable, .unusable, .null,
            .string("x\"\\/\u{8}\u{C}\n\r\téé𝄞"),
          ]), "b": .object([:]), "": .array([]),
        ]))
  }

  @Test("Whole numbers that don't fit, and -0, are no integers")
  func numbers() {
    #expect(JSON.read("9223372036854775808") == .number(9_223_372_036_854_775_808))
    #expect(JSON.read("-9223372036854775808") == .integer(.min))
    #expect(JSON.read("-0") == .number(0))
    #expect(JSON.read("1e-999") == .number(0))
  }

  @Test(
    "A text that is no JSON is an error",
    arguments: [
      "", " ", "tru", "truex", "nul", "+1", "01", "-", "-01", ".5", "1.", "1e", "1e+", "[1,]", "[1 2]", "[", "]", "{",
      #"{"a"}"#, #"{"a":}"#, #"{"a":1,}"#, #"{a:1}"#, #"{"a":1 "b":2}"#, #"{"a":1]"#, "[1}", "\"", #""\"#, #""\x""#,
      #""\u12""#, #""\u12g4""#, "\"\n\"", "\"\0\"", "1 1", "[]]", "/**/1", "nan", "inf", "-NaN", "+Infinity", "Infinit",
      "\u{B}1", "1\u{C}", "\u{FEFF}1", String(repeating: "[", count: 10_000),
      String(repeating: "[", count: 130) + String(repeating: "]", count: 129) + "}",
    ])
  func errors(text: String) {
    #expect(JSON.read(text) == nil)
  }

  @Test(
    "A value that can't be used is of no kind, and the text around it is read",
    arguments: [
      "1e999", "-1e999", "NaN", "Infinity", "-Infinity", #""\ud800""#, #""\ud800\u0041""#, #""\udc00""#,
      #""\ud83d\ud83d""#, "1" + String(repeating: "0", count: 400), "true", "false",
    ])
  func unusable(text: String) {
    #expect(JSON.read(text) == .unusable)
    #expect(JSON.read(#"{"a":\#(text),"b":[\#(text)],"c":7}"#, names: ["c"]) == .object(["c": .integer(7)]))
  }

  @Test("Of a name that stands twice the value is of no kind, however it is spelled; other names don't matter")
  func twice() {
    let texts = [#"{"a":1,"a":1,"b":2}"#, #"{"a":1,"\u0061":2,"b":2}"#, #"{"b":2,"a":1,"a":{},"a":null}"#]
    for text in texts {
      #expect(JSON.read(text, names: ["a", "b"]) == .object(["a": .unusable, "b": .integer(2)]))
      #expect(JSON.read(text, names: ["b"]) == .object(["b": .integer(2)]))
    }
    #expect(JSON.read(#"{"é":1,"é":2}"#, names: ["é"]) == .object(["é": .unusable]))
    // Two spellings of one character are two names.
    #expect(JSON.read(#"{"é":1,"e\u0301":2}"#, names: ["é"]) == .object(["é": .integer(1)]))
  }

  @Test("A name is found behind any other member, at the top level alone")
  func names() {
    let text = #"{"x":{"a":1},"y":[{"a":2}],"a ":3,"A":4,"\"a":5,"a\u0000":6, "a" : 7 ,"z":"\"a\":8"}"#
    #expect(JSON.read(text, names: ["a"]) == .object(["a": .integer(7)]))
    #expect(JSON.read(#"{"b":1}"#, names: ["a"]) == .object([:]))
    #expect(JSON.read(#"{"\ud800":1,"a":2}"#, names: ["a", "\u{FFFD}"]) == .object(["a": .integer(2)]))
  }

  @Test("Every beginning of a text is an error, never a crash")
  func beginnings() {
    let text = Array(#"{"a":[1,-1.5e2,true,null,"x\"\u00E9\uD834\uDD1E"],"b":{"c":"ä"}}"#.utf8)
    #expect(JSON.read(text) != nil)
    for length in 0..<text.count {
      #expect(JSON.read(text[..<length]) == nil)
    }
  }

  @Test(
    "A string with broken UTF-8 is of no kind",
    arguments: [[0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xE2, 0x82], [0xF5, 0x80, 0x80, 0x80]] as [[UInt8]])
  func utf8(bytes: [UInt8]) {
    #expect(JSON.read([0x22] + bytes + [0x22]) == .unusable)
    #expect(JSON.read([0x22] + bytes + Array(#"\n""#.utf8)) == .unusable)
  }

  @Test("Nesting is followed as deep as it goes", arguments: [1, 63, 64, 65, 127, 128, 129, 100_000])
  func depth(levels: Int) {
    let arrays = String(repeating: "[", count: levels) + String(repeating: "]", count: levels)
    #expect(JSON.read(#"{"a":\#(arrays),"b":7}"#, names: ["b"]) == .object(["b": .integer(7)]))
    let objects = String(repeating: #"{"a":"#, count: levels) + "1" + String(repeating: "}", count: levels)
    #expect(JSON.read("[7,\(objects)]") == .array([.integer(7), .object([:])]))
    let mixed = String(repeating: #"[{"a":"#, count: levels) + "1" + String(repeating: "}]", count: levels)
    #expect(JSON.read(#"{"a":\#(mixed),"b":7}"#, names: ["b"]) == .object(["b": .integer(7)]))
    #expect(JSON.read(mixed.dropLast() + "}") == nil)
  }

  @Test("A text of random bytes is never a crash")
  func random() {
    let pieces = [
      "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d83d", "a", "1", "-", ".", "e", "NaN", " ", "\u{0}", "é",
    ]
    var numbers = SeededGenerator(seed: 3)
    var valid = 0
    for _ in 0..<50_000 {
      let count = Int.random(in: 1...12, using: &numbers)
      let text = (0..<count).map { _ in pieces.randomElement(using: &numbers)! }.joined()
      if JSON.read(text, names: ["", "a"]) != nil { valid += 1 }
    }
    #expect(valid > 100)
  }
}
