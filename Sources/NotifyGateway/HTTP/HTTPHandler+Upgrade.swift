import Foundation
import Logging
import Metrics
import NIOCore
import NIOHTTP1
import NotifyCore
import NotifyCrypto

/// From HTTP to WebSocket.
extension HTTPHandler {
  /// Accepts a WebSocket where the limits allow it.
  ///
  /// NIO's upgrade handler serves a connection's first request only; proxies send upgrades on any kept-alive connection.
  func upgrade(_ offer: Handshake.Offer, _ head: HTTPRequestHead) {
    // The peer may have gone while its request waited for the answer to the one before.
    guard context != nil else { return }
    let second = Int64(hub.eventLoop.now.uptimeNanoseconds / 1_000_000_000)
    let admission = hub.dependencies.admission.enter(address: offer.remote, second: second)
    if admission == .full {
      hub.dependencies.metrics.rejects.increment()
      hub.dependencies.logger.info(
        "connect rejected: as many connections as allowed", metadata: [LogKey.remote: "\(offer.remote)"])
      return respond(.text(.serviceUnavailable, "too many connections", ["Retry-After": "5"]), to: head)
    }
    let connection = ClientConnection(offer: offer, hub: hub)
    if hub.dependencies.activity.kinds.connections {
      connection.userAgent = head.headers.first(name: "user-agent").map(ConnectionRecord.loggable)
    }
    var headers: HTTPHeaders = [
      "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": Self.accept(offer.key),
    ]
    if offer.selectsSubprotocol { headers.add(name: "Sec-WebSocket-Protocol", value: CredentialReader.subprotocol) }
    if let extensions = offer.extensions { headers.add(name: "Sec-WebSocket-Extensions", value: extensions) }
    switchHandlers(to: connection, headers)
    connection.begin(refusal: admission == .tooMany ? .tooManyConnects : nil)
  }

  /// The value of `Sec-WebSocket-Accept` (RFC 6455 §4.2.2).
  private static func accept(_ key: String) -> String {
    let digest = HashFunction.sha1.digest((key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11").utf8)
    return Data(digest).base64EncodedString()
  }

  /// Leaves the connection as the only handler behind the socket (and TLS).
  private func switchHandlers(to connection: ClientConnection, _ headers: HTTPHeaders) {
    guard let context else { return }
    perform(machine.upgraded())
    let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    // The peer's end is now the end of the connection.
    try? context.channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: false)
    let pipeline = context.pipeline.syncOperations
    do {
      try pipeline.addHandler(connection, position: .last)
    } catch {
      context.close(promise: nil)
    }
    pipeline.removeHandler(encoder, promise: nil)
    context.pipeline.syncOperations.removeHandler(self, promise: nil)
    // Last: it passes on the bytes that came behind the request.
    pipeline.removeHandler(decoder, promise: nil)
  }
}
