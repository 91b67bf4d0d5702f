import NotifyAuth
import NotifyGateway

/// The logins.
extension Settings {
  /// The largest PEM file that is read, in bytes.
  private static let maximumKeyBytes = 256 << 10

  /// The secrets of logins.
  static var loginSecrets: [PartialKeyPath<Settings>] {
    [\.jwt.secret, \.django.secretKey, \.django.fallbacks, \.gateway.serviceKey]
  }

  /// Logins by JWT, the content of the PEM file included.
  ///
  /// - Throws: a configuration error where that file can't be read.
  func jwtWithKeyFile() throws(ConfigurationError) -> JWTSettings {
    var jwt = jwt
    if let path = jwtPublicKeyFile {
      let subject = "\(origin(\.jwtPublicKeyFile)) is \"\(path)\""
      jwt.publicKeyPEM = [try SettingFile.read(path, maximumBytes: Self.maximumKeyBytes, subject: subject)]
    }
    return jwt
  }

  /// Whether JWTs are on.
  var hasJWT: Bool { jwt.isEnabled || jwtPublicKeyFile != nil }

  /// Whether a login method is configured.
  var hasLogin: Bool { hasJWT || django.secretKey != nil || acceptsDRFTokens || gateway.serviceKey != nil }

  /// Requires a login method.
  ///
  /// - Throws: a configuration error that names the login methods.
  func requireLogin() throws(ConfigurationError) {
    guard !hasLogin else { return }
    throw ConfigurationError(
      """
      no login method is configured, so nobody could connect: set one of
        \(Setting.of(\.jwt.secret).variable)  the secret of your backend's JWTs (SimpleJWT: SECRET_KEY); also
          …_PUBLIC_KEY_FILE, …_JWKS_FILE or …_JWKS_URL
        \(Setting.of(\.django.secretKey).variable)  Django's SECRET_KEY, for its session cookies
        \(Setting.of(\.acceptsDRFTokens).variable)=true  for tokens of Django REST framework
        \(Setting.of(\.gateway.serviceKey).variable)  for one-time tickets
      To try things without: notify-bridge dev
      """)
  }
}
