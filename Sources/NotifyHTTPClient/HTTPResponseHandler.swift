import NIOCore
import NIOHTTP1
import NIOSSL

/// Sends one request, and collects its answer.
final class HTTPResponseHandler: ChannelInboundHandler {
  typealias InboundIn = HTTPClientResponsePart
  typealias OutboundOut = HTTPClientRequestPart

  private let request: HTTPRequestHead
  private let maximumBytes: Int
  private let promise: EventLoopPromise<HTTPGet.Response>
  private var status = 0
  private var body: [UInt8] = []

  init(_ request: HTTPRequestHead, maximumBytes: Int, _ promise: EventLoopPromise<HTTPGet.Response>) {
    self.request = request
    self.maximumBytes = maximumBytes
    self.promise = promise
  }

  func channelActive(context: ChannelHandlerContext) {
    context.write(wrapOutboundOut(.head(request)), promise: nil)
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
    context.fireChannelActive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    switch unwrapInboundIn(data) {
    case .head(let head): status = Int(head.status.code)
    case .body(let part):
      guard body.count + part.readableBytes <= maximumBytes else { return promise.fail(HTTPGetError.tooLarge) }
      body.append(contentsOf: part.readableBytesView)
    case .end: promise.succeed(HTTPGet.Response(status: status, body: body))
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    switch error {
    case HTTPParserError.invalidEOFState: promise.fail(HTTPGetError.connectionLost)
    case is HTTPParserError: promise.fail(HTTPGetError.malformed)
    case NIOSSLError.uncleanShutdown: promise.fail(HTTPGetError.connectionLost)
    case is NIOSSLError, is BoringSSLError, is NIOSSLExtraError: promise.fail(HTTPGetError.tls)
    default: promise.fail(HTTPGetError.connectionLost)
    }
    context.close(promise: nil)
  }

  func channelInactive(context: ChannelHandlerContext) {
    promise.fail(HTTPGetError.connectionLost)
    context.fireChannelInactive()
  }
}
