import NotifyCore
import NotifyCrypto

@testable import NotifyAuth

/// Cookies and Django's sessions: `CookieHeader`, `DjangoSigner`, `Inflation`, `Hexadecimal`.
enum Cookies {
  private static let secret = "a secret of the fuzzer's own"
  private static let salt = "fuzz"
  private static let signer = DjangoSigner(keys: [Secret(secret)])
  private static let key = HMACKey(HashFunction.sha256.digest((salt + "signer" + secret).utf8), hash: .sha256)

  static func run(_ input: Input) {
    let header = input.text
    if let value = CookieHeader.value(of: "sessionid", in: header) {
      check(!value.utf8.contains(UInt8(ascii: ";")), "a value ends at a semicolon")
      let bytes = Array(header.utf8)
      check(
        value.isEmpty || bytes.indices.contains { bytes[$0...].starts(with: value.utf8) },
        "a value is a part of the header")
      check(
        CookieHeader.value(of: "sessionid", in: header + "; other=1") == value,
        "another cookie behind it changes nothing")
    }
    check(
      CookieHeader.value(of: "sessionid", in: header + ";sessionid=x") == "x", "the last of several cookies counts")
    check((try? signer.loads(header, salt: salt)) == nil, "no signature is guessed")
    signed(header)
    if let bytes = Inflation.inflate(Array(input.bytes), atMost: 1_000) {
      check(bytes.count <= 1_000, "within the limit")
    }
    if let bytes = Hexadecimal.decode(header) { check(Hexadecimal.encode(bytes) == header, "hexadecimal has one text") }
  }

  /// The text with a right signature behind it.
  private static func signed(_ text: String) {
    let whole = text + ":" + Base64URL.encode(key.code(for: Array(text.utf8)))
    guard let value = try? signer.loads(whole, salt: salt) else { return }
    check(value.value.count <= Limits.sessionBytes, "a session is within its limit")
    check(value.time >= 0, "a session has a time")
    check((try? signer.loads(whole, salt: "other")) == nil, "a signature is for one salt")
  }
}
