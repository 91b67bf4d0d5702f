import Foundation
import NotifyAuth
import NotifyCore
import NotifyGateway
import NotifyStore

/// What the parts of the bridge are told of the settings.
extension Settings {
  /// The largest PEM file that is read.
  private static let maximumKeyBytes = 256 << 10

  /// Logins by JWT.
  ///
  /// - Parameter withKeyFiles: whether PEM files are read; making tokens needs none.
  func jwt(withKeyFiles: Bool) throws(ConfigurationError) -> JWTSettings {
    var jwt = JWTSettings()
    jwt.secret = secret(.authJWTSecret)
    if withKeyFiles, let path = text(.authJWTPublicKeyFile) {
      let subject = "\(origin(.authJWTPublicKeyFile)) is \"\(path)\""
      jwt.publicKeyPEM = [try SettingFile.read(path, maximumBytes: Self.maximumKeyBytes, subject: subject)]
    }
    jwt.jwksFile = text(.authJWTJWKSFile)
    if let address = text(.authJWTJWKSURL) {
      guard let url = URL(string: address) else {
        throw ConfigurationError(
          "\(origin(.authJWTJWKSURL)) is no URL: allowed is \(ConfigurationType.httpURL.allowed)")
      }
      jwt.jwksURL = url
    }
    jwt.jwksRefreshSeconds = number(.authJWTJWKSRefreshSeconds)
    jwt.userClaim = text(.authJWTUserClaim)
    jwt.audience = list(.authJWTAudience)
    jwt.issuer = text(.authJWTIssuer)
    jwt.leewaySeconds = number(.authJWTLeewaySeconds)
    return jwt
  }

  /// What stands between the bridge and its database.
  var pooler: Pooler {
    self[.databasePooled] == nil ? .detected : flag(.databasePooled) ? .always : .never
  }

  /// Logins by sessions of Django.
  var django: DjangoSettings {
    var django = DjangoSettings()
    django.secretKey = secret(.authDjangoSecretKey)
    django.fallbacks = (list(.authDjangoSecretKeyFallbacks) ?? []).map { Secret($0) }
    django.sessionCookie = text(.authDjangoSessionCookie) ?? django.sessionCookie
    django.sessionAgeSeconds = number(.authDjangoSessionAgeSeconds)
    return django
  }

  /// The secrets of logins.
  static let loginSecrets: Set<ConfigurationKey> = [
    .authJWTSecret, .authDjangoSecretKey, .authDjangoSecretKeyFallbacks, .authServiceKey,
  ]

  /// The settings that let JWTs in.
  static let jwtKeys: [ConfigurationKey] = [.authJWTSecret, .authJWTPublicKeyFile, .authJWTJWKSFile, .authJWTJWKSURL]

  /// Whether JWTs are on.
  var hasJWT: Bool { Self.jwtKeys.contains { self[$0] != nil } }

  /// Whether somebody could log in at all.
  var hasLogin: Bool {
    hasJWT || self[.authDjangoSecretKey] != nil || flag(.authDRFTokens) || self[.authServiceKey] != nil
  }

  /// That somebody could log in at all.
  func requireLogin() throws(ConfigurationError) {
    guard !hasLogin else { return }
    throw ConfigurationError(
      """
      no login method is configured, so nobody could connect: set one of
        \(Self.jwtKeys[0].variable)  the secret of your backend's JWTs (SimpleJWT: SECRET_KEY); also
          …_PUBLIC_KEY_FILE, …_JWKS_FILE or …_JWKS_URL
        \(ConfigurationKey.authDjangoSecretKey.variable)  Django's SECRET_KEY, for its session cookies
        \(ConfigurationKey.authDRFTokens.variable)=true  for tokens of Django REST framework
        \(ConfigurationKey.authServiceKey.variable)  for one-time tickets
      To try things without: notify-bridge dev
      """)
  }

  /// The gateway's settings.
  ///
  /// - Parameter descriptors: how many files this process may have open.
  func gateway(descriptors: Int) throws(ConfigurationError) -> GatewaySettings {
    guard (self[.tlsCertificateFile] == nil) == (self[.tlsKeyFile] == nil) else {
      throw ConfigurationError(
        "TLS needs both \(ConfigurationKey.tlsCertificateFile.variable) and \(ConfigurationKey.tlsKeyFile.variable)")
    }
    return GatewaySettings(
      host: text(.httpHost) ?? "127.0.0.1", port: number(.httpPort), path: text(.httpPath) ?? "/ws/notifications/",
      adminPort: integer(.httpAdminPort), trustedProxies: list(.httpTrustedProxies) ?? [], origins: list(.authOrigins),
      firstMessage: flag(.authFirstMessage),
      deflateFromBytes: flag(.httpDeflate) ? number(.httpDeflateFromBytes) : nil,
      heartbeatSeconds: number(.heartbeatSeconds),
      drainSeconds: number(.drainSeconds), serviceKey: secret(.authServiceKey),
      certificateFile: text(.tlsCertificateFile), keyFile: text(.tlsKeyFile),
      limits: limits(descriptors: descriptors), version: NotifyBridge.version)
  }

  /// When commits ring, and when they need not.
  var doorbell: DoorbellSettings {
    DoorbellSettings(
      busyRate: Double(number(.doorbellBusyRate)),
      quietAfter: .milliseconds(number(.doorbellQuietAfterMilliseconds)),
      poll: .milliseconds(number(.doorbellPollMilliseconds)),
      longestPoll: .milliseconds(number(.doorbellLongestPollMilliseconds)),
      twoPhaseWriters: flag(.databaseTwoPhaseWriters))
  }

  /// The bounds.
  func limits(descriptors: Int) -> Limits {
    var limits = Limits()
    limits.connections = integer(.limitsConnections) ?? DescriptorLimit.connections(of: descriptors)
    limits.connectionsPerUser = number(.limitsConnectionsPerUser)
    limits.connectionsPerAddress = number(.limitsConnectionsPerAddress)
    limits.connectRate = number(.limitsConnectRate)
    limits.queueBytes = number(.limitsQueueBytes)
    limits.messageBytes = number(.limitsMessageBytes)
    limits.messageRate = number(.limitsMessageRate)
    limits.replayRows = number(.limitsReplayRows)
    limits.catchUpRows = number(.limitsHeldRows)
    limits.handshakeSeconds = number(.limitsHandshakeSeconds)
    limits.rememberedUsers = number(.limitsRememberedUsers)
    return limits
  }
}
