import NIOConcurrencyHelpers
import NIOCore
import NIOHTTP1
import NIOPosix

/// An HTTP server on a free port of the loopback, which answers every request alike.
final class KeySetServer: Sendable {
  /// What it answers.
  struct Response: Sendable {
    var status = HTTPResponseStatus.ok
    var headers = HTTPHeaders()
    var body = ""
  }

  private let response: NIOLockedValueBox<Response>
  private let channel: any Channel

  /// Serves while the body runs.
  static func serve<T>(_ body: String, _ use: (KeySetServer) async throws -> T) async throws -> T {
    let response = NIOLockedValueBox(Response(body: body))
    let requests = NIOLockedValueBox(0)
    let channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.configureHTTPServerPipeline()
          try channel.pipeline.syncOperations.addHandler(Handler(response, requests))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    let server = KeySetServer(channel, response, requests)
    do {
      let result = try await use(server)
      try await channel.close()
      return result
    } catch {
      try? await channel.close()
      throw error
    }
  }

  private init(_ channel: any Channel, _ response: NIOLockedValueBox<Response>, _ requests: NIOLockedValueBox<Int>) {
    self.channel = channel
    self.response = response
    self.counted = requests
  }

  private let counted: NIOLockedValueBox<Int>

  var address: String { "http://127.0.0.1:\(channel.localAddress?.port ?? 0)/jwks.json" }
  /// How many requests came.
  var count: Int { counted.withLockedValue { $0 } }

  func respond(_ change: @Sendable (inout Response) -> Void) { response.withLockedValue { change(&$0) } }

  private final class Handler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let response: NIOLockedValueBox<Response>
    private let requests: NIOLockedValueBox<Int>

    init(_ response: NIOLockedValueBox<Response>, _ requests: NIOLockedValueBox<Int>) {
      self.response = response
      self.requests = requests
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
      guard case .end = unwrapInboundIn(data) else { return }
      requests.withLockedValue { $0 += 1 }
      let response = response.withLockedValue { $0 }
      var headers = response.headers
      headers.add(name: "Content-Length", value: "\(response.body.utf8.count)")
      let head = HTTPResponseHead(version: .http1_1, status: response.status, headers: headers)
      context.write(wrapOutboundOut(.head(head)), promise: nil)
      context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: response.body)))), promise: nil)
      context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    }
  }
}
