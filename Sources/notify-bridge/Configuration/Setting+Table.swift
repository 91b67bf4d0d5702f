import Logging
import NotifyAuth
import NotifyCore
import NotifyGateway
import NotifyStore

/// The table of settings, in the order of the reference. An entry is all that a new setting needs.
///
/// Type, range, unit, default and target of each stand in its entry and nowhere else. `make configuration` writes the
/// annotated YAML file and the reference page anew.
extension Setting {
  private static let database: [Setting] = [
    Setting(
      "database.url", \.databaseURL, .databaseURL, example: "postgresql://notify_bridge@localhost:5432/app",
      isRequired: true, "The database to serve. PGHOST, PGPASSWORD and the like fill in its missing parts"),
    Setting(
      "database.listen_url", \.store.listenURL, .databaseURL, example: "postgresql://notify_bridge@database:5432/app",
      "A direct connection for LISTEN, where database.url leads to a pooler"),
    Setting(
      "database.pooled", \.store.pooler, .pooler, default: .detected, example: "true",
      "Whether database.url leads to a pooler in transaction mode. Without it each connect detects one"),
    Setting(
      "database.two_phase_writers", \.store.doorbell.twoPhaseWriters, .boolean, default: false,
      "Writers prepare transactions and have set notify_bridge.two_phase, so that they never ring"),
  ]

  private static let http: [Setting] = [
    Setting(
      "http.host", \.gateway.host, .text, default: "127.0.0.1",
      "The address to listen on: an IPv4 or IPv6 address, a name, or unix:/path for a socket"),
    Setting(
      "http.port", \.gateway.port, .integer(0...65_535), default: 8_080,
      "The port of WebSocket and HTTP. 0 picks a free one"),
    Setting(
      "http.path", \.gateway.path, .text, default: "/ws/notifications/",
      "The path of the WebSocket, with or without the last slash"),
    Setting(
      "http.admin_port", \.gateway.adminPort, .integer(0...65_535), example: "9090",
      "A port for /metrics, /console, /healthz and /readyz, never with TLS. Without it /metrics is on the same port"),
    Setting(
      "http.trusted_proxies", \.gateway.trustedProxies, .list, default: [], example: "[10.0.0.0/8, 127.0.0.1]",
      "Proxies (addresses, networks, unix: for the Unix socket) whose report of the client's address is trusted"),
    Setting(
      "http.forwarded_header", \.gateway.forwardedHeader, .text, default: "X-Forwarded-For",
      "The header of that report: Forwarded (RFC 7239), or one with addresses. Every other one is ignored"),
    Setting(
      "http.deflate", \.deflates, .boolean, default: true,
      "Compress messages where the client offers permessage-deflate"),
    Setting(
      "http.deflate_from_bytes", \.deflateFromBytes, .integer(1...262_144, "bytes"), default: 1_400,
      "The smallest message that is compressed. A smaller one fits into one packet anyway"),
  ]

  private static let auth: [Setting] = [
    Setting(
      "auth.jwt_secret", \.jwt.secret, .secret, example: "change-me", isReloadable: true,
      "The shared secret of HS256, HS384 and HS512 (Django's SECRET_KEY for SimpleJWT's default)"),
    Setting(
      "auth.jwt_public_key_file", \.jwtPublicKeyFile, .path, example: "/etc/notify-bridge/jwt.pem", isReloadable: true,
      "A PEM file with the public key that verifies JWTs"),
    Setting(
      "auth.jwt_jwks_file", \.jwt.jwksFile, .path, example: "/etc/notify-bridge/jwks.json", isReloadable: true,
      "A JWKS file with public keys. It is read again when it changes"),
    Setting(
      "auth.jwt_jwks_url", \.jwt.jwksURL, .url, example: "https://id.example.com/.well-known/jwks.json",
      isReloadable: true, "The address of the issuer's JWKS"),
    Setting(
      "auth.jwt_jwks_refresh_seconds", \.jwt.jwksRefreshSeconds, .integer(JWTSettings.refreshRange, "seconds"),
      default: 300, isReloadable: true, "How often the JWKS is fetched again"),
    Setting(
      "auth.jwt_user_claim", \.jwt.userClaim, .text, example: "user_id", isReloadable: true,
      "The claim that names the user. Without it user_id, then sub"),
    Setting(
      "auth.jwt_audience", \.jwt.audience, .list, example: "[notifications]", isReloadable: true,
      "The aud that a JWT must have: one of these. Without it any"),
    Setting(
      "auth.jwt_issuer", \.jwt.issuer, .text, example: "https://id.example.com/", isReloadable: true,
      "The iss that a JWT must have. Without it any"),
    Setting(
      "auth.jwt_leeway_seconds", \.jwt.leewaySeconds, .integer(JWTSettings.leewayRange, "seconds"), default: 0,
      isReloadable: true, "How far the issuer's clock may be off"),
    Setting(
      "auth.django_secret_key", \.django.secretKey, .secret, example: "change-me", isReloadable: true,
      "Django's SECRET_KEY: enables logins by session cookie"),
    Setting(
      "auth.django_secret_key_fallbacks", \.django.fallbacks, .secrets, default: [], example: "[an-earlier-key]",
      isReloadable: true, "Django's SECRET_KEY_FALLBACKS: earlier keys that still count"),
    Setting(
      "auth.django_session_cookie", \.django.sessionCookie, .text, default: "sessionid", isReloadable: true,
      "Django's SESSION_COOKIE_NAME"),
    Setting(
      "auth.django_session_age_seconds", \.django.sessionAgeSeconds, .integer(1...1_000_000_000, "seconds"),
      default: 1_209_600, isReloadable: true,
      "Django's SESSION_COOKIE_AGE, for sessions that are kept in a signed cookie"),
    Setting(
      "auth.django_user_table", \.djangoUserTable, .text, example: "accounts_user",
      "The table of users. Without it the one that an attached recipient refers to, else auth_user"),
    Setting(
      "auth.drf_tokens", \.acceptsDRFTokens, .boolean, default: false, isReloadable: true,
      "Enables logins by token keys of Django REST framework (authtoken_token)"),
    Setting(
      "auth.service_key", \.gateway.serviceKey, .secret, example: "change-me",
      "The key with which a backend gets one-time tickets at POST /tickets, and a person opens /console"),
    Setting(
      "auth.first_message", \.gateway.firstMessage, .boolean, default: false,
      "Wait 10 s for an authenticate message where a connect brings no credential"),
    Setting(
      "auth.origins", \.gateway.origins, .list, example: #"["https://app.example.com", "https://*.example.org"]"#,
      "Origins that browsers may connect from, * for one label. Without it the name in the Host header"),
  ]

  private static let console: [Setting] = [
    Setting(
      "console.actions", \.gateway.consoleActions, .boolean, default: false,
      "Let /console resend rows, disconnect users, send tests and retry quarantined rows. Without it it only shows")
  ]

  private static let time: [Setting] = [
    Setting(
      "heartbeat_seconds", \.gateway.heartbeatSeconds, .integer(1...3_600, "seconds"), default: 30,
      "How often a quiet connection gets a heartbeat"),
    Setting(
      "drain_seconds", \.gateway.drainSeconds, .integer(0...3_600, "seconds"), default: 10,
      "How long a stop may take, at most"),
    Setting(
      "retention_days", \.store.retention.days, .integer(0...36_500, "days"), default: 30,
      "How long sent rows of the bridge's own table are kept. 0 keeps everything"),
    Setting(
      "retention_unsent_days", \.store.retention.unsentDays, .integer(0...36_500, "days"), default: 0,
      "How long unsent rows are kept, where sent ones of their age are deleted. 0 keeps them"),
    Setting(
      "retention_window", \.store.retention.window, .window, example: "02:00-05:00",
      "When rows are deleted, in the time zone of the database server. Always, where it is left out"),
    Setting(
      "retention_rows_per_second", \.store.retention.rowsPerSecond, .integer(0...1_000_000, "rows per second"),
      default: 0, "How fast rows are deleted at most. 0 is as fast as it goes"),
    Setting(
      "presence", \.store.recordsPresence, .boolean, default: true,
      "Show who is connected in notify_bridge.presence, by one statement a second at most"),
    Setting(
      "connection_log_days", \.store.connectionLogDays, .integer(0...36_500, "days"), default: 0,
      "How long sockets are kept in notify_bridge.connection_log. 0 logs none"),
    Setting(
      "delivery_log_days", \.store.deliveryLogDays, .integer(0...36_500, "days"), default: 0,
      "How long events of rows are kept in notify_bridge.delivery_log. 0 logs none"),
  ]

  private static let doorbell: [Setting] = [
    Setting(
      "doorbell.busy_rate", \.store.doorbell.busyRate, .number(10...1_000_000, "transactions per second"),
      default: 1_000,
      "At this rate (or a tenth, with ten times as many rows) commits need not NOTIFY and the bridge polls"),
    Setting(
      "doorbell.quiet_after_ms", \.store.doorbell.quietAfter, .milliseconds(100...60_000),
      default: .milliseconds(500), "How long the rate has to be below half of that before commits NOTIFY again"),
    Setting(
      "doorbell.poll_ms", \.store.doorbell.poll, .milliseconds(1...1_000), default: .milliseconds(5),
      "The shortest wait between two fetches while commits need not NOTIFY"),
    Setting(
      "doorbell.longest_poll_ms", \.store.doorbell.longestPoll, .milliseconds(1...1_000), default: .milliseconds(50),
      "The longest wait, at 5 times busy_rate in rows and more. A lower value costs more CPU per row"),
  ]

  private static let limits: [Setting] = [
    Setting(
      "limits.connections", \.connections, .integer(1...1_000_000, "connections"), example: "18000",
      "Sockets of this process. Without it as many as the descriptor limit allows"),
    Setting(
      "limits.connections_per_user", \.gateway.limits.connectionsPerUser, .integer(1...1_000_000, "connections"),
      default: 100, "Sockets of one user. Beyond, the oldest is closed with 4009"),
    Setting(
      "limits.connections_per_address", \.gateway.limits.connectionsPerAddress,
      .integer(0...1_000_000, "connections"), default: 0,
      "Sockets from one address, 0 for no limit. Beyond, a connect is closed with 4029"),
    Setting(
      "limits.connect_rate", \.gateway.limits.connectRate, .integer(0...1_000_000, "connects per second"), default: 0,
      "Connects from one address, 0 for no limit. Beyond, a connect is closed with 4029"),
    Setting(
      "limits.queue_bytes", \.gateway.limits.queueBytes, .integer(1...1_073_741_824, "bytes"), default: 1 << 20,
      "Memory of what waits for one socket. Beyond, further rows wait in the database"),
    Setting(
      "limits.row_bytes", \.gateway.limits.rowBytes, .integer(1...1_073_741_823, "bytes"), default: 64 << 20,
      "The text of one row's payload. A row with more is quarantined; the others are delivered"),
    Setting(
      "limits.message_bytes", \.gateway.limits.messageBytes, .integer(1...16_777_216, "bytes"), default: 65_536,
      "A message from a client. Beyond, the socket is closed with 1009"),
    Setting(
      "limits.message_rate", \.gateway.limits.messageRate, .integer(1...1_000_000, "messages per second"),
      default: 50, "Messages from one client. Beyond, the socket is closed with 4029"),
    Setting(
      "limits.replay_rows", \.gateway.limits.replayRows, .integer(0...1_000_000, "rows"), default: 1_000,
      "Sent rows after `since` in a replay. Beyond, replay_truncated comes instead"),
    Setting(
      "limits.held_rows", \.gateway.limits.catchUpRows, .integer(1...1_000_000, "rows"), default: 10_000,
      "Rows held back while a connection catches up. Beyond, it catches up again"),
    Setting(
      "limits.handshake_seconds", \.gateway.limits.handshakeSeconds, .integer(1...300, "seconds"), default: 10,
      "How long a request head and a TLS handshake may take, each"),
    Setting(
      "limits.remembered_users", \.gateway.limits.rememberedUsers, .integer(0...100_000_000, "users"),
      default: 1_000_000, "Users whose oldest unsent row is remembered, which makes their connects cheaper"),
  ]

  private static let tlsAndLog: [Setting] = [
    Setting(
      "tls.certificate_file", \.gateway.certificateFile, .path, example: "/etc/notify-bridge/tls.crt",
      isReloadable: true, "A PEM file with the certificate and its chain: TLS on the same port"),
    Setting(
      "tls.key_file", \.gateway.keyFile, .path, example: "/etc/notify-bridge/tls.key", isReloadable: true,
      "A PEM file with the certificate's private key"),
    Setting(
      "log.level", \.log.level, .word, default: .info, isReloadable: true,
      "The least important kind of line that is written"),
    Setting(
      "log.format", \.log.format, .word, example: "json",
      "The form of a line. Without it text on a terminal, else one JSON object"),
  ]

  /// Every setting of this version; a secret is followed by the setting that names its file.
  static let all = [database, http, auth, console, time, doorbell, limits, tlsAndLog].flatMap { $0 }
    .flatMap { $0.isSecret ? [$0, Setting(fileOf: $0)] : [$0] }

  /// A sentence about a section, for those that need one.
  static let sectionNotes = [
    "auth": "At least one of a key for JWTs, django_secret_key, drf_tokens and service_key is needed.",
    "console": "The console is at /console of http.admin_port, and of http.port where auth.service_key is set.",
    "doorbell": "The thresholds between quiet (each commit rings by NOTIFY) and busy (the bridge polls).",
  ]
}
