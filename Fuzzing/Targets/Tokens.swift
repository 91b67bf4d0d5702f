import NotifyCore
import NotifyCrypto

@testable import NotifyAuth

/// JSON Web Tokens, key sets and PEM: `SignedToken`, `ClaimRules`, `KeySet`, `PEMKeys`, `Base64URL`.
enum Tokens {
  private static let key = HMACKey(Array("a secret of the fuzzer's own, 32 bytes".utf8), hash: .sha256)
  private static let rules: ClaimRules = {
    var settings = JWTSettings()
    settings.audience = ["app"]
    return ClaimRules(settings)
  }()

  static func run(_ input: Input) {
    var input = input
    switch input.choice() % 4 {
    case 0: token(input.text)
    case 1: claims(Array(input.bytes))
    case 2:
      if let keys = try? KeySet.read(Array(input.bytes)) { check(keys.warnings.count < 200, "warnings are bounded") }
    default: _ = try? PEMKeys.read(input.text)
    }
    if let bytes = Base64URL.decode(input.bytes) {
      check(Array(Base64URL.encode(bytes).utf8)[...] == input.bytes, "a value has one text in base64url")
    }
  }

  private static func token(_ text: String) {
    guard let token = try? SignedToken(text) else { return }
    check(CredentialShape(of: text) == .jwt, "a token has the shape of one")
    let parts = text.split(separator: ".").map(String.init)
    check(parts.count == 3, "a token has three parts")
    check(Base64URL.encode(token.signature) == parts[2], "the signature is the third part")
    check(token.signed.elementsEqual((parts[0] + "." + parts[1]).utf8), "the first two parts are signed")
    check(!key.isValid(token.signature, for: token.signed), "no signature is guessed")
  }

  /// Of a token whose signature is right.
  private static func claims(_ json: [UInt8]) {
    let head = Base64URL.encode(#"{"alg":"HS256"}"#.utf8) + "." + Base64URL.encode(json)
    let text = head + "." + Base64URL.encode(key.code(for: Array(head.utf8)))
    guard let token = try? SignedToken(text) else {
      return check(text.utf8.count > Limits.credentialBytes, "a token with a right signature is read")
    }
    check(key.isValid(token.signature, for: token.signed), "the signature is right")
    check(token.payload == json, "the payload is as it was signed")
    let verdict = JSONValue.read(token.payload) { $0.map { rules.judge($0, now: 1_000) } }
    guard case .accepted(let identity) = verdict else { return }
    check((1...Limits.userIDBytes).contains(identity.user.text.utf8.count), "a user's id is within its limit")
    check(identity.expires.map { $0 > 1_000 } == true, "an accepted token expires later")
  }
}
