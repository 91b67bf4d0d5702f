import NIOConcurrencyHelpers
import NIOCore
import NIOPosix
import NIOSSL

/// A server on a free port of the loopback that answers every request with given bytes, HTTP or not.
final class RawServer: Sendable {
  let port: Int
  private let received: NIOLockedValueBox<String>

  /// The requests that came, one after the other.
  var requests: String { received.withLockedValue { $0 } }

  private init(_ port: Int, _ received: NIOLockedValueBox<String>) {
    self.port = port
    self.received = received
  }

  /// Serves while the body runs.
  ///
  /// - Parameters:
  ///   - response: what is written after a request's head, or after bytes that are none; nil for nothing.
  ///   - closes: whether the connection is closed then.
  ///   - tls: for TLS.
  static func serve<T>(
    _ response: String?, closes: Bool = true, tls: NIOSSLContext? = nil, _ use: (RawServer) async throws -> T
  ) async throws -> T {
    let received = NIOLockedValueBox("")
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
          try pipeline.addHandler(Handler(response, closes, received))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    do {
      let result = try await use(RawServer(channel.localAddress?.port ?? 0, received))
      try await channel.close()
      return result
    } catch {
      try? await channel.close()
      throw error
    }
  }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let response: String?
    private let closes: Bool
    private let received: NIOLockedValueBox<String>

    init(_ response: String?, _ closes: Bool, _ received: NIOLockedValueBox<String>) {
      self.response = response
      self.closes = closes
      self.received = received
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      let isWhole = received.withLockedValue {
        $0 += String(buffer: unwrapInboundIn(data))
        return $0.hasSuffix("\r\n\r\n") || !$0.hasPrefix("GET ")
      }
      guard isWhole, let response else { return }
      context.writeAndFlush(wrapOutboundOut(ByteBuffer(string: response)), promise: nil)
      if closes { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }
}
