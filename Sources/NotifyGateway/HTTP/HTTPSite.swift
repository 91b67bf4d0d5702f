import NIOCore

/// The services of one listening port.
struct HTTPSite: Sendable {
  let handshake: Handshake
  let routes: RouteTable
  /// False for the admin port.
  let servesWebSocket: Bool
  /// Whether TLS stands before HTTP.
  let isSecure: Bool
  /// For the TLS handshake and for the first request, each.
  let handshakeTime: TimeAmount
}
