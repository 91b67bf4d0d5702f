/// An unusable login setting; found before any network access (exit 78).
package struct AuthConfigurationError: Error, Equatable, CustomStringConvertible {
  /// The variable to change.
  package let setting: AuthSetting
  /// The problem and the allowed values.
  package let problem: String
  /// The fix.
  package let remedy: String

  init(_ setting: AuthSetting, _ problem: String, remedy: String) {
    self.setting = setting
    self.problem = problem
    self.remedy = remedy
  }

  /// Two lines for the operator; never key material.
  package var description: String { "\(setting.rawValue): \(problem)\n\(remedy)" }
}

/// The variables of logins, as the operator writes them.
package enum AuthSetting: String, Sendable, CaseIterable {
  case jwtSecret = "NOTIFY_BRIDGE_AUTH_JWT_SECRET"
  case jwtPublicKeyFile = "NOTIFY_BRIDGE_AUTH_JWT_PUBLIC_KEY_FILE"
  case jwksFile = "NOTIFY_BRIDGE_AUTH_JWT_JWKS_FILE"
  case jwksURL = "NOTIFY_BRIDGE_AUTH_JWT_JWKS_URL"
  case jwksRefreshSeconds = "NOTIFY_BRIDGE_AUTH_JWT_JWKS_REFRESH_SECONDS"
  case jwtUserClaim = "NOTIFY_BRIDGE_AUTH_JWT_USER_CLAIM"
  case jwtAudience = "NOTIFY_BRIDGE_AUTH_JWT_AUDIENCE"
  case jwtIssuer = "NOTIFY_BRIDGE_AUTH_JWT_ISSUER"
  case jwtLeewaySeconds = "NOTIFY_BRIDGE_AUTH_JWT_LEEWAY_SECONDS"
  case djangoSecretKey = "NOTIFY_BRIDGE_AUTH_DJANGO_SECRET_KEY"
  case djangoSessionCookie = "NOTIFY_BRIDGE_AUTH_DJANGO_SESSION_COOKIE"
  case djangoSessionAge = "NOTIFY_BRIDGE_AUTH_DJANGO_SESSION_AGE_SECONDS"
  case drfTokens = "NOTIFY_BRIDGE_AUTH_DRF_TOKENS"
  case serviceKey = "NOTIFY_BRIDGE_AUTH_SERVICE_KEY"
}
