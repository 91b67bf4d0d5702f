import Testing

@testable import NotifyAuth

@Suite("base64url is read strictly")
struct Base64URLTests {
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
