import NIOCore

/// What one listening port serves.
struct HTTPSite: Sendable {
  let handshake: Handshake
  let responder: HTTPResponder
  /// False for the admin port.
  let servesWebSocket: Bool
  /// Whether TLS stands before HTTP.
  let isSecure: Bool
  /// For the TLS handshake and for the first request, each.
  let handshakeTime: TimeAmount
}
