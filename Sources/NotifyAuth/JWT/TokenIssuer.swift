import Foundation
package import NotifyCore

/// Makes HS256 tokens for `token` and `listen --user`.
package struct TokenIssuer: Sendable {
  private let secret: HMACSecret
  private let settings: JWTSettings

  /// Makes an issuer whose tokens the same settings accept.
  ///
  /// - Throws: an error where the settings have no secret, or can't be used.
  package init(_ settings: JWTSettings) throws(AuthConfigurationError) {
    try settings.validate()
    guard let secret = settings.secret else {
      throw AuthConfigurationError(
        .jwtSecret, "is not set; tokens can be made with a secret only",
        remedy: "Set it, or get a token from the holder of the private key.")
    }
    self.secret = HMACSecret(secret)
    self.settings = settings
  }

  /// Makes a token.
  ///
  /// - Parameters:
  ///   - user: named by `user_id` and by the configured claim (a number where its text is a canonical integer), and by
  ///     `sub`, a string.
  ///   - seconds: how long it is valid from `now` on.
  ///   - now: seconds since 1970 UTC; the fraction is dropped.
  ///   - id: the token's `jti`.
  package func token(for user: UserID, seconds: Int, now: Double, id: String = UUID().uuidString) -> Secret {
    let issued = Int64(now)
    var claims = [("token_type", JSONText.string("access")), ("user_id", JSONText.user(user, integerColumn: true))]
    if let claim = settings.userClaim, claim != "user_id", claim != "sub" {
      claims.append((claim, JSONText.user(user, integerColumn: true)))
    }
    claims.append(("sub", JSONText.string(user.text)))
    if let issuer = settings.issuer { claims.append(("iss", JSONText.string(issuer))) }
    if let audience = settings.audience?.first { claims.append(("aud", JSONText.string(audience))) }
    claims += [("iat", "\(issued)"), ("exp", "\(issued + Int64(seconds))"), ("jti", JSONText.string(id))]

    let payload = "{" + claims.map { "\(JSONText.string($0.0)):\($0.1)" }.joined(separator: ",") + "}"
    let signed = Base64URL.encode(#"{"alg":"HS256","typ":"JWT"}"#.utf8) + "." + Base64URL.encode(payload.utf8)
    return Secret(signed + "." + Base64URL.encode(secret.signature(of: signed)))
  }
}
