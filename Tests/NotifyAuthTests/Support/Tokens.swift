import NotifyCore

@testable import NotifyAuth

/// Makes tokens of any kind, also of those that no honest issuer makes.
enum Tokens {
  /// When the tests happen: 2026-01-01.
  static let now = 1_767_225_600.0

  /// Joins parts, signed by HS256 with a secret.
  static func hmac(
    _ payload: String, header: String = #"{"alg":"HS256","typ":"JWT"}"#, secret: String = Fixtures.secret
  ) -> String {
    let signed = Base64URL.encode(header.utf8) + "." + Base64URL.encode(payload.utf8)
    return signed + "." + Base64URL.encode(HMACSecret(Secret(secret)).signature(of: signed))
  }

  /// A token of claims besides a user and an `exp` in an hour.
  static func claims(_ more: String = "", user: String = "42", exp: String = "1767229200") -> String {
    #"{"user_id":\#(user),"exp":\#(exp)\#(more.isEmpty ? "" : ",")\#(more)}"#
  }

  /// Joins parts, signed with a private key.
  static func signed(_ payload: String, header: String, by key: SigningKey) -> String {
    let signed = Base64URL.encode(header.utf8) + "." + Base64URL.encode(payload.utf8)
    return signed + "." + Base64URL.encode(key.sign(signed))
  }

  /// The P-256 key of the fixtures.
  static let p256 = SigningKey(pem: Fixtures.p256Private)

  /// A JWKS of P-256 keys, by their `kid`.
  static func keySet(_ keys: [(id: String?, key: SigningKey)]) -> String {
    let texts = keys.map { id, key in
      let (x, y) = key.coordinates
      let name = id.map { #""kid":"\#($0)","# } ?? ""
      return #"{"kty":"EC","crv":"P-256",\#(name)"x":"\#(Base64URL.encode(x))","y":"\#(Base64URL.encode(y))"}"#
    }
    return #"{"keys":[\#(texts.joined(separator: ","))]}"#
  }
}
