/// The table of settings, in the order of the documentation.
extension ConfigurationKey {
  // MARK: Database

  static let databaseURL = ConfigurationKey(
    ["database", "url"], .databaseURL,
    summary: "The database to serve. PGHOST, PGPASSWORD and the like fill in what it leaves out. Required")
  static let databaseURLFile = secretFile(of: databaseURL)
  static let databaseListenURL = ConfigurationKey(
    ["database", "listen_url"], .databaseURL,
    summary: "A direct connection for LISTEN, where database.url leads to a pooler")
  static let databaseListenURLFile = secretFile(of: databaseListenURL)
  static let databasePooled = ConfigurationKey(
    ["database", "pooled"], .boolean,
    summary: "Whether database.url leads to a pooler in transaction mode; without it that is found out")

  static let databaseTwoPhaseWriters = ConfigurationKey(
    ["database", "two_phase_writers"], .boolean, defaultValue: "false",
    summary: "Writers prepare transactions and have set notify_bridge.two_phase, so that they never ring")

  // MARK: HTTP

  static let httpHost = ConfigurationKey(
    ["http", "host"], .text, defaultValue: "127.0.0.1",
    summary: "Where to listen: an address, a name, or unix:/path for a socket")
  static let httpPort = ConfigurationKey(
    ["http", "port"], .integer(0...65_535), defaultValue: "8080",
    summary: "The port of WebSocket, SSE and HTTP; 0 picks a free one")
  static let httpPath = ConfigurationKey(
    ["http", "path"], .text, defaultValue: "/ws/notifications/",
    summary: "The path of the WebSocket, with or without the last slash")
  static let httpAdminPort = ConfigurationKey(
    ["http", "admin_port"], .integer(0...65_535),
    summary: "A port of its own for /metrics; without it they are on the same port")
  static let httpTrustedProxies = ConfigurationKey(
    ["http", "trusted_proxies"], .list,
    summary: "Addresses or networks (10.0.0.0/8) whose X-Forwarded-For is believed")
  static let httpDeflate = ConfigurationKey(
    ["http", "deflate"], .boolean, defaultValue: "true",
    summary: "Compress messages where the client offers permessage-deflate")
  static let httpDeflateFromBytes = ConfigurationKey(
    ["http", "deflate_from_bytes"], .integer(1...262_144), defaultValue: "1400", unit: "bytes",
    summary: "The smallest message that is compressed; one below that fits into one packet anyway")

  // MARK: Logins

  static let authJWTSecret = ConfigurationKey(
    ["auth", "jwt_secret"], .secret,
    summary: "The shared secret of HS256, HS384 and HS512 (Django's SECRET_KEY for SimpleJWT's default)")
  static let authJWTSecretFile = secretFile(of: authJWTSecret)
  static let authJWTPublicKeyFile = ConfigurationKey(
    ["auth", "jwt_public_key_file"], .path, summary: "A PEM file with the public key that verifies JWTs",
    isReloadable: true)
  static let authJWTJWKSFile = ConfigurationKey(
    ["auth", "jwt_jwks_file"], .path, summary: "A JWKS file with public keys; it is read again when it changes",
    isReloadable: true)
  static let authJWTJWKSURL = ConfigurationKey(
    ["auth", "jwt_jwks_url"], .httpURL, summary: "Where the issuer publishes its JWKS", isReloadable: true)
  static let authJWTJWKSRefreshSeconds = ConfigurationKey(
    ["auth", "jwt_jwks_refresh_seconds"], .integer(1...86_400), defaultValue: "300", unit: "seconds",
    summary: "How often the JWKS is fetched again")
  static let authJWTUserClaim = ConfigurationKey(
    ["auth", "jwt_user_claim"], .text, summary: "The claim that names the user; without it user_id, then sub")
  static let authJWTAudience = ConfigurationKey(
    ["auth", "jwt_audience"], .list, summary: "The aud that a JWT must have; one of these where there are several")
  static let authJWTIssuer = ConfigurationKey(["auth", "jwt_issuer"], .text, summary: "The iss that a JWT must have")
  static let authJWTLeewaySeconds = ConfigurationKey(
    ["auth", "jwt_leeway_seconds"], .integer(0...3_600), defaultValue: "0", unit: "seconds",
    summary: "How far the issuer's clock may be off")
  static let authDjangoSecretKey = ConfigurationKey(
    ["auth", "django_secret_key"], .secret, summary: "Django's SECRET_KEY: enables logins by session cookie")
  static let authDjangoSecretKeyFile = secretFile(of: authDjangoSecretKey)
  static let authDjangoSecretKeyFallbacks = ConfigurationKey(
    ["auth", "django_secret_key_fallbacks"], .secret,
    summary: "Django's SECRET_KEY_FALLBACKS, separated by commas: earlier keys that still count")
  static let authDjangoSecretKeyFallbacksFile = secretFile(of: authDjangoSecretKeyFallbacks)
  static let authDjangoSessionCookie = ConfigurationKey(
    ["auth", "django_session_cookie"], .text, defaultValue: "sessionid", summary: "Django's SESSION_COOKIE_NAME")
  static let authDjangoSessionAgeSeconds = ConfigurationKey(
    ["auth", "django_session_age_seconds"], .integer(1...1_000_000_000), defaultValue: "1209600", unit: "seconds",
    summary: "Django's SESSION_COOKIE_AGE, for sessions that are kept in a signed cookie")
  static let authDjangoUserTable = ConfigurationKey(
    ["auth", "django_user_table"], .text,
    summary: "The table of users; without it that which an attached recipient refers to, else auth_user")
  static let authDRFTokens = ConfigurationKey(
    ["auth", "drf_tokens"], .boolean, defaultValue: "false",
    summary: "Enables logins by token keys of Django REST framework (authtoken_token)")
  static let authServiceKey = ConfigurationKey(
    ["auth", "service_key"], .secret,
    summary: "The key with which a backend gets one-time tickets at POST /tickets, beside those that SQL issues")
  static let authServiceKeyFile = secretFile(of: authServiceKey)
  static let authFirstMessage = ConfigurationKey(
    ["auth", "first_message"], .boolean, defaultValue: "false",
    summary: "Wait 10 s for an authenticate message where a connect brings no credential")
  static let authOrigins = ConfigurationKey(
    ["auth", "origins"], .list,
    summary: "Origins that browsers may connect from, * for one label; without it the Host's own name")

  // MARK: Time

  static let heartbeatSeconds = ConfigurationKey(
    ["heartbeat_seconds"], .integer(1...3_600), defaultValue: "30", unit: "seconds",
    summary: "How often a quiet connection gets a heartbeat")
  static let drainSeconds = ConfigurationKey(
    ["drain_seconds"], .integer(0...3_600), defaultValue: "10", unit: "seconds",
    summary: "How long a stop may take, at most")
  static let retentionDays = ConfigurationKey(
    ["retention_days"], .integer(0...36_500), defaultValue: "30", unit: "days",
    summary: "How long sent rows of the bridge's own table are kept; 0 keeps everything")

  // MARK: Doorbell

  static let doorbellBusyRate = ConfigurationKey(
    ["doorbell", "busy_rate"], .integer(10...1_000_000), defaultValue: "1000", unit: "transactions per second",
    summary: "From this rate on (or a tenth, with ten times as many rows) commits need not NOTIFY and the bridge polls")
  static let doorbellQuietAfterMilliseconds = ConfigurationKey(
    ["doorbell", "quiet_after_ms"], .integer(100...60_000), defaultValue: "500", unit: "milliseconds",
    summary: "How long the rate has to be low before commits NOTIFY again")
  static let doorbellPollMilliseconds = ConfigurationKey(
    ["doorbell", "poll_ms"], .integer(1...1_000), defaultValue: "5", unit: "milliseconds",
    summary: "How long the bridge waits between two fetches, at least, while commits need not NOTIFY")
  static let doorbellLongestPollMilliseconds = ConfigurationKey(
    ["doorbell", "longest_poll_ms"], .integer(1...1_000), defaultValue: "50", unit: "milliseconds",
    summary: "How long it waits at most, while very many rows come: less is sooner, and costs more CPU per row")

  // MARK: Limits

  static let limitsConnections = limit(
    "connections", 1...1_000_000, nil, "connections",
    "Sockets of this process; without it as many as the descriptor limit allows")
  static let limitsConnectionsPerUser = limit(
    "connections_per_user", 1...1_000_000, "100", "connections", "Sockets of one user; beyond, the oldest is closed")
  static let limitsConnectionsPerAddress = limit(
    "connections_per_address", 0...1_000_000, "0", "connections", "Sockets from one address; 0 for no limit")
  static let limitsConnectRate = limit(
    "connect_rate", 0...1_000_000, "0", "connects per second", "Connects from one address; 0 for no limit")
  static let limitsQueueBytes = limit(
    "queue_bytes", 1...1_073_741_824, "1048576", "bytes", "What may wait for one socket; beyond, it is closed with 4008"
  )
  static let limitsMessageBytes = limit(
    "message_bytes", 1...16_777_216, "65536", "bytes", "A message from a client; beyond, it is closed with 1009")
  static let limitsMessageRate = limit(
    "message_rate", 1...1_000_000, "50", "messages per second",
    "Messages from one client; beyond, it is closed with 4029")
  static let limitsReplayRows = limit(
    "replay_rows", 0...1_000_000, "1000", "rows",
    "Sent rows after `since` in a replay; beyond, replay_truncated comes instead")
  static let limitsHeldRows = limit(
    "held_rows", 1...1_000_000, "10000", "rows",
    "Rows held back while a connection catches up; beyond, it catches up again")
  static let limitsHandshakeSeconds = limit(
    "handshake_seconds", 1...300, "10", "seconds", "How long a request head and a TLS handshake may take, each")
  static let limitsRememberedUsers = limit(
    "remembered_users", 0...100_000_000, "1000000", "users",
    "Users whose oldest unsent row is remembered, which makes their connects cheaper")

  // MARK: TLS and logs

  static let tlsCertificateFile = ConfigurationKey(
    ["tls", "certificate_file"], .path, summary: "A PEM file with the certificate and its chain: TLS on the same port",
    isReloadable: true)
  static let tlsKeyFile = ConfigurationKey(
    ["tls", "key_file"], .path, summary: "A PEM file with the certificate's private key", isReloadable: true)
  static let logLevel = ConfigurationKey(
    ["log", "level"], .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]),
    defaultValue: "info", summary: "The least important kind of line that is written", isReloadable: true)
  static let logFormat = ConfigurationKey(
    ["log", "format"], .choice(["text", "json"]), summary: "Without it text on a terminal, else one JSON object a line")

  /// Every setting of this version.
  static let all: [ConfigurationKey] = [
    databaseURL, databaseURLFile, databaseListenURL, databaseListenURLFile, databasePooled,
    databaseTwoPhaseWriters,
    httpHost, httpPort, httpPath, httpAdminPort, httpTrustedProxies,
    httpDeflate, httpDeflateFromBytes,
    authJWTSecret, authJWTSecretFile, authJWTPublicKeyFile, authJWTJWKSFile, authJWTJWKSURL,
    authJWTJWKSRefreshSeconds, authJWTUserClaim, authJWTAudience, authJWTIssuer, authJWTLeewaySeconds,
    authDjangoSecretKey, authDjangoSecretKeyFile, authDjangoSecretKeyFallbacks, authDjangoSecretKeyFallbacksFile,
    authDjangoSessionCookie, authDjangoSessionAgeSeconds, authDjangoUserTable, authDRFTokens,
    authServiceKey, authServiceKeyFile,
    authFirstMessage, authOrigins,
    heartbeatSeconds, drainSeconds, retentionDays,
    doorbellBusyRate, doorbellQuietAfterMilliseconds, doorbellPollMilliseconds,
    doorbellLongestPollMilliseconds,
    limitsConnections, limitsConnectionsPerUser, limitsConnectionsPerAddress, limitsConnectRate, limitsQueueBytes,
    limitsMessageBytes, limitsMessageRate, limitsReplayRows, limitsHeldRows, limitsHandshakeSeconds,
    limitsRememberedUsers,
    tlsCertificateFile, tlsKeyFile, logLevel, logFormat,
  ]

  private static func secretFile(of secret: ConfigurationKey) -> ConfigurationKey {
    let path = secret.path.dropLast() + [(secret.path.last ?? "") + "_file"]
    return ConfigurationKey(
      Array(path), .path, summary: "A file that holds \(secret.yamlPath) instead (Docker secrets)", fileOf: secret.path)
  }

  private static func limit(
    _ name: String, _ range: ClosedRange<Int>, _ defaultValue: String?, _ unit: String, _ summary: String
  ) -> ConfigurationKey {
    ConfigurationKey(
      ["limits", name], .integer(range), defaultValue: defaultValue, unit: unit, summary: summary)
  }
}
