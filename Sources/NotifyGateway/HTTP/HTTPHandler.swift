import Logging
import Metrics
import NIOCore
import NIOHTTP1
import NIOTLS
import NotifyCore

/// One connection's HTTP requests, one at a time, until one of them becomes a WebSocket. Touched only on its event loop.
final class HTTPHandler: ChannelDuplexHandler, RemovableChannelHandler, Drainable {
  typealias InboundIn = HTTPServerRequestPart
  typealias OutboundIn = HTTPServerResponsePart
  typealias OutboundOut = HTTPServerResponsePart

  /// What is happening.
  enum State: Equatable {
    /// A request is awaited or being read.
    case reading
    /// A request is being answered; what comes meanwhile waits.
    case answering
    /// The last answer was written; the peer's end is awaited.
    case closing
    /// The connection is a WebSocket.
    case upgraded
  }

  let site: HTTPSite
  let hub: ClientHub
  /// The handlers that go when the connection becomes a WebSocket.
  let encoder: HTTPResponseEncoder
  let decoder: ByteToMessageHandler<HTTPRequestDecoder>

  var state = State.reading
  var context: ChannelHandlerContext?
  private var head: HTTPRequestHead?
  private var body = ByteBuffer()
  private var waiting = CircularBuffer<HTTPServerRequestPart>()
  private var timer: Scheduled<Void>?
  private var isInputClosed = false
  private var isDraining = false
  /// The connection has had an answer already.
  private var isKeptAlive = false
  private var awaitsTLS: Bool
  private var hasPendingRead = false

  init(
    site: HTTPSite, hub: ClientHub, encoder: HTTPResponseEncoder, decoder: ByteToMessageHandler<HTTPRequestDecoder>
  ) {
    self.site = site
    self.hub = hub
    self.encoder = encoder
    self.decoder = decoder
    awaitsTLS = site.isSecure
  }

  // MARK: The socket

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    hub.add(self)
    isDraining = hub.isDraining
    startTimer(site.handshakeTime)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    timer?.cancel()
    hub.remove(self)
    self.context = nil
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let part = unwrapInboundIn(data)
    switch state {
    case .reading: take(part)
    case .answering: waiting.append(part)
    case .closing, .upgraded: break
    }
  }

  /// Nothing more is read while a request is being answered.
  func read(context: ChannelHandlerContext) {
    if state == .answering {
      hasPendingRead = true
    } else {
      context.read()
    }
  }

  func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
    if case .some(.inputClosed) = event as? ChannelEvent {
      isInputClosed = true
      if state != .answering { context.close(promise: nil) }
    } else if case .some(.handshakeCompleted) = event as? TLSUserEvent {
      awaitsTLS = false
      startTimer(site.handshakeTime)
    } else {
      context.fireUserInboundEventTriggered(event)
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let error = error as? HTTPParserError else {
      context.close(promise: nil)
      return
    }
    switch state {
    case .reading:
      let isTooLarge = error == .headerOverflow
      refuse(isTooLarge ? .requestHeaderFieldsTooLarge : .badRequest, isTooLarge ? "headers too large" : "bad request")
    case .answering:
      // The request before it is answered, then the connection ends.
      isDraining = true
    case .closing, .upgraded:
      break
    }
  }

  // MARK: Requests

  private func take(_ part: HTTPServerRequestPart) {
    switch part {
    case .head(let head):
      if let why = RequestRules.refusal(head) { return refuse(.badRequest, why) }
      self.head = head
      if head.headers[canonicalForm: "expect"].contains(where: { $0.lowercased() == "100-continue" }) {
        let head = HTTPResponseHead(version: .http1_1, status: .continue)
        context?.writeAndFlush(wrapOutboundOut(.head(head)), promise: nil)
      }
    case .body(var bytes):
      body.writeBuffer(&bytes)
      if body.readableBytes > GatewayLimits.bodyBytes { refuse(.payloadTooLarge, "body too large") }
    case .end:
      guard let head else { return }
      let body = body
      self.head = nil
      self.body = ByteBuffer()
      timer?.cancel()
      respond(to: head, body)
    }
  }

  private func respond(to head: HTTPRequestHead, _ body: ByteBuffer) {
    let target = RequestTarget(head.uri)
    guard site.servesWebSocket, site.handshake.serves(target.path) else {
      if Handshake.isUpgrade(head.headers) {
        return answer(.text(.notFound, "no WebSocket here"), to: head)
      }
      return route(head, body)
    }
    switch site.handshake.decide(head, target, peer: context?.remoteAddress) {
    case .upgrade(let offer):
      upgrade(offer, head)
    case .refuse(let status, let headers, let reason):
      answer(.text(status, reason, headers), to: head)
    case .refuseOrigin(let origin):
      hub.services.metrics.rejects.increment()
      hub.services.logger.info(
        "connect rejected: its origin is not allowed; NOTIFY_BRIDGE_AUTH_ORIGINS lists those that are",
        metadata: [
          LogKey.origin: "\(origin)",
          LogKey.remote: "\(site.handshake.remote.of(peer: context?.remoteAddress, headers: head.headers))",
        ])
      answer(.text(.forbidden, "origin not allowed"), to: head)
    }
  }

  private func route(_ head: HTTPRequestHead, _ body: ByteBuffer) {
    guard let context else { return }
    state = .answering
    let bound = NIOLoopBound(self, eventLoop: context.eventLoop)
    let channel = context.channel
    let isSubmitted = hub.services.jobs.submit { [responder = site.responder] in
      let answer = await responder.answer(head, body: body, channel: channel)
      bound.eventLoop.execute { bound.value.answer(answer, to: head) }
    }
    if !isSubmitted { answer(.text(.serviceUnavailable, "too many requests", ["Retry-After": "1"]), to: head) }
  }

  // MARK: Answers

  /// Writes the answer to a request; then the next is read, or the connection ends.
  func answer(_ answer: HTTPResponder.Answer, to head: HTTPRequestHead) {
    let isLast = isDraining || isInputClosed || !head.isKeepAlive || RequestRules.isSwitching(head)
    write(answer, isLast: isLast, withBody: head.method != .HEAD)
    if isLast {
      end()
    } else {
      state = .reading
      isKeptAlive = true
      startTimer(GatewayLimits.keepAlive)
      resume()
    }
  }

  /// Answers what can't be read as a request, and ends the connection: what follows on it has no meaning.
  private func refuse(_ status: HTTPResponseStatus, _ why: String) {
    write(.text(status, why), isLast: true, withBody: true)
    end()
  }

  private func write(_ answer: HTTPResponder.Answer, isLast: Bool, withBody: Bool) {
    guard let context else { return }
    var headers = answer.headers
    headers.replaceOrAdd(name: "Content-Length", value: "\(answer.body.readableBytes)")
    headers.replaceOrAdd(name: "Date", value: WallClock.httpDate(seconds: WallClock.microseconds() / 1_000_000))
    // A 426 names what it would upgrade to in Connection as well; both stand in one header.
    if isLast {
      let upgrade = headers["connection"].isEmpty ? "" : ", Upgrade"
      headers.replaceOrAdd(name: "Connection", value: "close" + upgrade)
    }
    let head = HTTPResponseHead(version: .http1_1, status: answer.status, headers: headers)
    context.write(wrapOutboundOut(.head(head)), promise: nil)
    if withBody { context.write(wrapOutboundOut(.body(.byteBuffer(answer.body))), promise: nil) }
    context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
  }

  /// Reads what waited while a request was answered.
  private func resume() {
    while state == .reading, let part = waiting.popFirst() { take(part) }
    if hasPendingRead, state == .reading {
      hasPendingRead = false
      context?.read()
    }
  }

  /// Ends our side, and waits a little for the peer's: closing at once could take the answer from it.
  private func end() {
    state = .closing
    waiting.removeAll()
    guard let context else { return }
    if isInputClosed { return context.close(promise: nil) }
    let promise = context.eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenFailure { [self] _ in self.context?.close(promise: nil) }
    context.close(mode: .output, promise: promise)
    if hasPendingRead {
      hasPendingRead = false
      context.read()
    }
    startTimer(GatewayLimits.lingering)
  }

  /// The bridge stops: a connection without a request ends now, the others with their answer.
  func drain() {
    isDraining = true
    if state == .reading { context?.close(promise: nil) }
  }

  // MARK: Time

  private func startTimer(_ time: TimeAmount) {
    timer?.cancel()
    timer = context?.eventLoop.assumeIsolated().scheduleTask(in: time) { [self] in timeout() }
  }

  private func timeout() {
    switch state {
    case .reading where !awaitsTLS && !isKeptAlive: refuse(.requestTimeout, "request too slow")
    case .reading, .closing: context?.close(promise: nil)
    case .answering, .upgraded: break
    }
  }
}
