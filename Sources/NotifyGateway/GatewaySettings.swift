package import NotifyCore

/// The operator's settings for the gateway.
package struct GatewaySettings: Sendable {
  /// Address to listen on: a name, an IPv4 or IPv6 address, or `unix:/path`.
  package var host: String
  /// Port to listen on; 0 takes a free one.
  package var port: Int
  /// Path of the WebSocket, with or without the last slash.
  package var path: String
  /// Port for `/metrics`, beside `/healthz` and `/readyz`, never with TLS; nil serves `/metrics` on the main port.
  package var adminPort: Int?
  /// Addresses and networks (`10.0.0.0/8`) whose `forwardedHeader` is trusted.
  package var trustedProxies: [String]
  /// The header in which they report the client's address: `Forwarded` (RFC 7239), or one with addresses.
  package var forwardedHeader: String
  /// Allowed origins, `*` for one label; nil allows the host that the request itself names.
  package var origins: [String]?
  /// A connect without credential waits for an `authenticate` message.
  package var firstMessage: Bool
  /// The least bytes of a compressed message, where the client offers compression; nil compresses none.
  package var deflateFromBytes: Int?
  /// log2 of the window that messages are compressed with, 9 to 15. Only `echoes` needs another than the default.
  package var deflateWindowBits = Deflater.usualWindowBits
  /// Every connect is accepted, and its messages, binary ones too, are sent back: for conformance tests of the protocol.
  package var echoes = false
  /// Seconds between two heartbeats of a connection.
  package var heartbeatSeconds: Int
  /// The longest that a graceful shutdown waits for the sockets.
  package var drainSeconds: Int
  /// The key of backends for `POST /tickets`, and of the console; nil serves no `/tickets`.
  package var serviceKey: Secret?
  /// Whether the console may change anything. It is served on the admin port, and on the main one with the service key.
  package var consoleActions = false
  /// PEM file of the certificate chain; nil serves without TLS.
  package var certificateFile: String?
  /// PEM file of the certificate's private key.
  package var keyFile: String?
  /// Bounds.
  package var limits: Limits
  /// The program's version, for `build_info`.
  package var version: String

  /// Whether the console can be reached at all.
  package var servesConsole: Bool { adminPort != nil || serviceKey != nil }

  /// Makes settings; the defaults are those of the program.
  package init(
    host: String = "127.0.0.1", port: Int = 8080, path: String = "/ws/notifications/", adminPort: Int? = nil,
    trustedProxies: [String] = [], forwardedHeader: String = "X-Forwarded-For", origins: [String]? = nil,
    firstMessage: Bool = false,
    deflateFromBytes: Int? = 1_400, heartbeatSeconds: Int = 30, drainSeconds: Int = 10, serviceKey: Secret? = nil,
    certificateFile: String? = nil, keyFile: String? = nil, limits: Limits = Limits(), version: String = "0"
  ) {
    self.host = host
    self.port = port
    self.path = path
    self.adminPort = adminPort
    self.trustedProxies = trustedProxies
    self.forwardedHeader = forwardedHeader
    self.origins = origins
    self.firstMessage = firstMessage
    self.deflateFromBytes = deflateFromBytes
    self.heartbeatSeconds = heartbeatSeconds
    self.drainSeconds = drainSeconds
    self.serviceKey = serviceKey
    self.certificateFile = certificateFile
    self.keyFile = keyFile
    self.limits = limits
    self.version = version
  }
}
