import JWTKit
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

  /// Joins parts, signed with a private key of the fixtures.
  static func signed(_ payload: String, header: String, by key: any JWTAlgorithm) throws -> String {
    let signed = Base64URL.encode(header.utf8) + "." + Base64URL.encode(payload.utf8)
    return signed + "." + Base64URL.encode(try key.sign(Array(signed.utf8)))
  }

  /// RS256 with the RSA key of the fixtures, or another.
  static func rs256(pem: String = Fixtures.rsaPrivate) async throws -> any JWTAlgorithm {
    let key = try Insecure.RSA.PrivateKey(pem: pem)
    return try await JWTKeyCollection().add(rsa: key, digestAlgorithm: .sha256).getKey()
  }

  /// ES256 with the P-256 key of the fixtures, or another.
  static func es256(_ key: ES256PrivateKey? = nil) async throws -> any JWTAlgorithm {
    let key = try key ?? ES256PrivateKey(pem: Fixtures.p256Private)
    return try await JWTKeyCollection().add(ecdsa: key).getKey()
  }

  /// A JWKS of P-256 keys, by their `kid`.
  static func keySet(_ keys: [(id: String?, key: ES256PrivateKey)]) -> String {
    let texts = keys.map { id, key in
      let parameters = key.parameters
      let coordinates = [parameters?.x ?? "", parameters?.y ?? ""].map {
        // jwt-kit gives standard base64, a JWK has base64url.
        $0.replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
      }
      let name = id.map { #""kid":"\#($0)","# } ?? ""
      return #"{"kty":"EC","crv":"P-256",\#(name)"x":"\#(coordinates[0])","y":"\#(coordinates[1])"}"#
    }
    return #"{"keys":[\#(texts.joined(separator: ","))]}"#
  }
}
