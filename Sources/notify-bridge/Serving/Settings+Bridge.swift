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

  /// That somebody could log in at all.
  func requireLogin() throws(ConfigurationError) {
    let keys: [ConfigurationKey] = [.authJWTSecret, .authJWTPublicKeyFile, .authJWTJWKSFile, .authJWTJWKSURL]
    guard keys.allSatisfy({ self[$0] == nil }) else { return }
    throw ConfigurationError(
      """
      no login method is configured, so nobody could connect: set \(keys[0].variable)
      to the secret of your backend's JWTs (Django: SECRET_KEY), or one of
        \(keys[1].variable)
        \(keys[2].variable)
        \(keys[3].variable)
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
      firstMessage: flag(.authFirstMessage), heartbeatSeconds: number(.heartbeatSeconds),
      drainSeconds: number(.drainSeconds), certificateFile: text(.tlsCertificateFile), keyFile: text(.tlsKeyFile),
      limits: limits(descriptors: descriptors), version: NotifyBridge.version)
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
    limits.heldRows = number(.limitsHeldRows)
    limits.handshakeSeconds = number(.limitsHandshakeSeconds)
    limits.rememberedUsers = number(.limitsRememberedUsers)
    return limits
  }
}
