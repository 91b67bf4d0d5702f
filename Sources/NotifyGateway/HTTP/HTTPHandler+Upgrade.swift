import Logging
import Metrics
import NIOCore
import NIOHTTP1
import NIOWebSocket
import NotifyCore

/// From HTTP to WebSocket.
extension HTTPHandler {
  /// Used for `Sec-WebSocket-Accept` alone: NIO's own way to upgrade serves only a connection's first request, while
  /// proxies send an upgrade on any connection that they keep.
  private static let upgrader = NIOWebSocketServerUpgrader(
    shouldUpgrade: { channel, _ in channel.eventLoop.makeSucceededFuture(HTTPHeaders()) },
    upgradePipelineHandler: { channel, _ in channel.eventLoop.makeSucceededVoidFuture() })

  /// Accepts a WebSocket, as far as there is room for it.
  func upgrade(_ offer: Handshake.Offer, _ head: HTTPRequestHead) {
    guard let context else { return }
    let second = Int64(hub.eventLoop.now.uptimeNanoseconds / 1_000_000_000)
    let admission = hub.services.admission.enter(address: offer.remote, second: second)
    if admission == .full {
      hub.services.metrics.rejects.increment()
      hub.services.logger.info(
        "connect rejected: as many connections as allowed", metadata: [LogKey.remote: "\(offer.remote)"])
      return answer(.text(.serviceUnavailable, "too many connections", ["Retry-After": "5"]), to: head)
    }
    let connection = Connection(offer: offer, hub: hub)
    Self.upgrader.buildUpgradeResponse(channel: context.channel, upgradeRequest: head, initialResponseHeaders: [:])
      .assumeIsolated().whenComplete { [self] result in
        switch result {
        case .success(var headers):
          if offer.answersSubprotocol {
            headers.add(name: "Sec-WebSocket-Protocol", value: CredentialReader.subprotocol)
          }
          if let answer = offer.extensions { headers.add(name: "Sec-WebSocket-Extensions", value: answer) }
          switchHandlers(to: connection, headers)
          connection.begin(refusal: admission == .tooMany ? .tooManyConnects : nil)
          connection.flushIfNeeded()
        case .failure:
          hub.services.admission.leave(address: offer.remote)
          answer(.text(.badRequest, "bad WebSocket handshake"), to: head)
        }
      }
  }

  /// Leaves the connection as the only handler behind the socket (and TLS).
  private func switchHandlers(to connection: Connection, _ headers: HTTPHeaders) {
    guard let context else { return }
    state = .upgraded
    let head = HTTPResponseHead(version: .http1_1, status: .switchingProtocols, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    // From now on the peer's end is the end of the connection.
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
