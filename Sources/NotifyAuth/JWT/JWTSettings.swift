package import Foundation
package import NotifyCore

/// The operator's settings for JSON Web Tokens.
package struct JWTSettings: Sendable, Equatable {
  /// Values of `jwksRefreshSeconds`.
  package static let refreshRange = 1...86_400
  /// Values of `leewaySeconds`.
  package static let leewayRange = 0...3_600

  /// The secret of HS256, HS384 and HS512: its UTF-8 bytes are the key. Django's `SECRET_KEY` for SimpleJWT's default.
  package var secret: Secret?
  /// Texts of PEM files, each with one public key or certificate or more.
  package var publicKeyPEM: [String] = []
  /// Path of a JWKS file.
  package var jwksFile: String?
  /// Address of a JWKS.
  package var jwksURL: URL?
  /// Seconds between two fetches of `jwksURL`.
  package var jwksRefreshSeconds = 300
  /// The claim that names the user; nil for `user_id`, then `sub`.
  package var userClaim: String?
  /// A token has to be for one of these; nil takes every token, as SimpleJWT does.
  package var audience: [String]?
  /// The `iss` that a token has to have; nil takes every one.
  package var issuer: String?
  /// Seconds that `exp` and `nbf` may be off.
  package var leewaySeconds = 0

  package init() {}

  /// Whether a key of any kind is configured.
  package var isEnabled: Bool { secret != nil || !publicKeyPEM.isEmpty || jwksFile != nil || jwksURL != nil }

  /// The settings that give keys, for a sentence that names them.
  static let publicKeySettings =
    "\(AuthSetting.jwtPublicKeyFile.rawValue), \(AuthSetting.jwksFile.rawValue) or \(AuthSetting.jwksURL.rawValue)"
  static let keySettings = "\(AuthSetting.jwtSecret.rawValue), \(publicKeySettings)"

  /// Finds settings that no key could make usable.
  func validate() throws(AuthConfigurationError) {
    if let secret {
      if secret.exposed.isEmpty {
        throw AuthConfigurationError(
          .jwtSecret, "is empty", remedy: "Set it to the secret that signs your tokens, or leave it out.")
      }
      // The bytes of a public key as an HMAC secret would let everybody make tokens.
      if secret.exposed.contains("-----BEGIN ") {
        throw AuthConfigurationError(
          .jwtSecret, "is a PEM text, not a secret",
          remedy: "Put the public key into a file, and name it in \(AuthSetting.jwtPublicKeyFile.rawValue).")
      }
    }
    guard Self.refreshRange.contains(jwksRefreshSeconds) else {
      throw AuthConfigurationError(
        .jwksRefreshSeconds, "\(jwksRefreshSeconds) is out of range; allowed are 1 to 86400",
        remedy: "Leave it out for 300.")
    }
    guard Self.leewayRange.contains(leewaySeconds) else {
      throw AuthConfigurationError(
        .jwtLeewaySeconds, "\(leewaySeconds) is out of range; allowed are 0 to 3600", remedy: "Leave it out for 0.")
    }
    if let userClaim, userClaim.isEmpty {
      throw AuthConfigurationError(
        .jwtUserClaim, "is empty", remedy: "Name a claim, or leave it out for user_id, then sub.")
    }
    if let audience, audience.isEmpty || audience.contains("") {
      throw AuthConfigurationError(.jwtAudience, "has an empty audience", remedy: "Name audiences, or leave it out.")
    }
    if let issuer, issuer.isEmpty {
      throw AuthConfigurationError(
        .jwtIssuer, "is empty", remedy: "Set it to the `iss` of your tokens, or leave it out.")
    }
    if let jwksURL { try Self.validate(jwksURL) }
  }

  private static func validate(_ url: URL) throws(AuthConfigurationError) {
    guard let scheme = url.scheme?.lowercased(), scheme == "https" || scheme == "http", url.host()?.isEmpty == false
    else {
      throw AuthConfigurationError(
        .jwksURL, "is not the address of a web server; allowed are https:// and http:// with a host",
        remedy: "Take the `jwks_uri` of your issuer's /.well-known/openid-configuration.")
    }
    guard url.user() == nil, url.password() == nil else {
      throw AuthConfigurationError(
        .jwksURL, "has a user or a password in it", remedy: "Leave them out: a JWKS holds public keys only.")
    }
  }

  /// Working but unwise settings, each a line for the log and for `check`.
  func warnings() -> [String] {
    var lines: [String] = []
    if let secret, secret.exposed.utf8.count < 32 {
      lines.append(
        "\(AuthSetting.jwtSecret.rawValue) is shorter than the 32 bytes that RFC 7518 asks for: it may be guessed")
    }
    if let url = jwksURL, url.scheme?.lowercased() == "http", let host = url.host(),
      host != "localhost", host != "::1", !host.hasPrefix("127.")
    {
      lines.append("\(AuthSetting.jwksURL.rawValue) is http: a changed answer makes forged tokens valid; use https")
    }
    return lines
  }
}
