import Logging
import Metrics
import NIOCore
import NIOHTTP1
import NIOTLS
import NotifyCore

/// One connection's HTTP requests, until one of them becomes a WebSocket: the I/O of `HTTPStateMachine`. Touched only on
/// its event loop.
final class HTTPHandler: ChannelDuplexHandler, RemovableChannelHandler, Drainable {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  let site: HTTPSite
  let hub: ClientHub
  /// The handlers that go when the connection becomes a WebSocket.
  let encoder: HTTPResponseEncoder
  let decoder: ByteToMessageHandler<HTTPRequestDecoder>

  var machine: HTTPStateMachine
  var context: ChannelHandlerContext?
  private var timer: Scheduled<Void>?
  /// Called when the connection has become a WebSocket or ended.
  var onRemoval: () -> Void = {}

  /// The other end of the socket. The channel remembers it; the context would ask the kernel.
  private var peer: SocketAddress? { context?.channel.remoteAddress }

  init(
    site: HTTPSite, hub: ClientHub, encoder: HTTPResponseEncoder, decoder: ByteToMessageHandler<HTTPRequestDecoder>
  ) {
    self.site = site
    self.hub = hub
    self.encoder = encoder
    self.decoder = decoder
    machine = HTTPStateMachine(isSecure: site.isSecure, isDraining: hub.isDraining)
  }

  // MARK: The socket

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    hub.add(self)
    startTimer(site.handshakeTime)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    timer?.cancel()
    hub.remove(self)
    self.context = nil
    onRemoval()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    perform(machine.received(unwrapInboundIn(data)))
  }

  func read(context: ChannelHandlerContext) {
    perform(machine.readRequested())
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    machine.writabilityChanged(context.channel.isWritable)
    resume()
    context.fireChannelWritabilityChanged()
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .some(.inputClosed) = event as? ChannelEvent {
      perform(machine.inputClosed())
    } else if case .some(.handshakeCompleted) = event as? TLSUserEvent {
      machine.secured()
      startTimer(site.handshakeTime)
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    if let error = error as? HTTPParserError {
      perform(machine.receivedMalformed(isTooLarge: error == .headerOverflow))
    } else if case .some(.dataReceivedInErrorState) = error as? ByteToMessageDecoderError {
      // The decoder reports each read after its error. The response is still to be written.
    } else {
      context.close(promise: nil)
    }
  }

  func drain() { perform(machine.drain()) }

  private func startTimer(_ time: TimeAmount) {
    timer?.cancel()
    timer = context?.eventLoop.assumeIsolated().scheduleTask(in: time) { [self] in perform(machine.timedOut()) }
  }

  // MARK: Actions

  func perform(_ action: HTTPStateMachine.Action) {
    switch action {
    case .nothing:
      break
    case .read:
      context?.read()
    case .sendContinue:
      let head = HTTPResponseHead(version: .http1_1, status: .continue)
      context?.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
    case .handle(let head, let body):
      timer?.cancel()
      handle(head, body)
    case .refuse(let status, let why):
      write(.text(status, why), isLast: true)
      endOutput()
    case .close:
      context?.close(promise: nil)
    }
  }

  private func handle(_ head: HTTPRequestHead, _ body: ByteBuffer) {
    let target = RequestTarget(head.uri)
    guard site.servesWebSocket, site.handshake.serves(target.path) else {
      if Handshake.isUpgrade(head.headers) { return respond(.text(.notFound, "no WebSocket here"), to: head) }
      return route(head, target, body)
    }
    switch site.handshake.decide(head, target, peer: peer) {
    case .upgrade(let offer):
      upgrade(offer, head)
    case .refuse(let status, let headers, let reason):
      respond(.text(status, reason, headers), to: head)
    case .refuseOrigin(let origin):
      hub.dependencies.metrics.rejects.increment()
      hub.dependencies.logger.info(
        "connect rejected: its origin is not allowed; NOTIFY_BRIDGE_AUTH_ORIGINS lists those that are",
        metadata: [
          LogKey.origin: "\(origin)",
          LogKey.remote: "\(site.handshake.remote.of(peer: peer, headers: head.headers))",
        ])
      respond(.text(.forbidden, "origin not allowed"), to: head)
    }
  }

  private func route(_ head: HTTPRequestHead, _ target: RequestTarget, _ body: ByteBuffer) {
    switch site.routes.match(head.method, target.path) {
    case .none(let response):
      respond(response, to: head)
    case .route(let route, let parameters):
      let remote = site.handshake.remote.of(peer: peer, headers: head.headers)
      let request = HTTPRequest(head, target, body: body, parameters: parameters, remote: remote)
      let bound = NIOLoopBound(self, eventLoop: hub.eventLoop)
      let isSubmitted = hub.dependencies.tasks.submit {
        let response = await route.handler(request)
        bound.eventLoop.execute { bound.value.finish(response, to: head) }
      }
      if !isSubmitted { respond(.text(.serviceUnavailable, "too many requests", ["Retry-After": "1"]), to: head) }
    }
  }

  // MARK: Responses

  /// Writes the response of a route, and takes the input that came meanwhile.
  private func finish(_ response: HTTPResponse, to head: HTTPRequestHead) {
    respond(response, to: head)
    resume()
  }

  private func resume() {
    while let action = machine.resume() { perform(action) }
  }

  /// Writes the response to a request; then the next is read, or the connection ends.
  func respond(_ response: HTTPResponse, to head: HTTPRequestHead) {
    guard let ending = machine.responseReady() else { return }
    // Before the writing, which may make room for the next request.
    if ending == .keepAlive { startTimer(GatewayLimits.keepAlive) }
    write(response, isLast: ending != .keepAlive, withBody: head.method != .HEAD)
    switch ending {
    case .keepAlive: break
    case .endOutput: endOutput()
    case .close: context?.close(promise: nil)
    }
  }

  private func write(_ response: HTTPResponse, isLast: Bool, withBody: Bool = true) {
    guard let context else { return }
    var headers = response.headers
    headers.replaceOrAdd(name: "Content-Length", value: "\(response.body.readableBytes)")
    headers.replaceOrAdd(name: "Date", value: WallClock.httpDate(seconds: WallClock.microseconds() / 1_000_000))
    // A 426 names `Upgrade` in Connection as well; both stand in one field.
    if isLast {
      let upgrade = headers["connection"].isEmpty ? "" : ", Upgrade"
      headers.replaceOrAdd(name: "Connection", value: "close" + upgrade)
    }
    let head = HTTPResponseHead(version: .http1_1, status: response.status, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if withBody { context.write(wrapOutboundOut(.body(.byteBuffer(response.body))), promise: nil) }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  /// Ends our side, and waits a little for the peer's, whose input is dropped: closing at once could take the response from
  /// it.
  private func endOutput() {
    guard let context else { return }
    try? context.pipeline.syncOperations.addHandler(InputDiscarder(), position: .before(decoder))
    let promise = context.eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenFailure { [self] _ in self.context?.close(promise: nil) }
    context.close(mode: .output, promise: promise)
    context.read()
    startTimer(GatewayLimits.lingering)
  }
}
