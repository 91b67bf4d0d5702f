import Logging
import NIOCore
import NotifyCore

/// One WebSocket, from the answered upgrade to the end of the socket. Touched only on its event loop.
///
/// It is the only handler behind the socket (and TLS): it reads frames itself and writes whole frames.
final class ClientConnection: ChannelDuplexHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  /// Where the connection stands.
  enum State: Equatable {
    /// No credential yet: the first message has to bring it.
    case waitingForCredential
    /// The credential is being verified.
    case verifying
    /// In its group, waiting for the replay.
    case joining
    /// `connection_established` was written.
    case open
    /// A close frame was written: by us, or as the answer to the peer's.
    case closing
    /// The socket is gone.
    case closed
  }

  /// Who closed.
  enum Closer: String {
    case client, server, network
  }

  let hub: LoopHub
  let eventLoop: any EventLoop
  let remote: String
  let acknowledges: Bool
  /// Compresses its frames, where that was agreed on.
  let deflater: Deflater?
  let started: NIODeadline

  var state: State = .verifying
  /// When the state is left at the latest.
  var deadline: NIODeadline?
  /// Where the hub has it.
  var index = 0

  var credential: Credential?
  var since: String?
  var isVerifying = false
  /// The hub's revocations and lost connections when the verification began.
  var verifiesSince: (revocations: UInt64, generation: UInt64) = (0, 0)
  var retryAt: NIODeadline?
  var identity: Identity?
  var session: DeliverySession?
  var ticket: ReplayCancellation?
  var earlyMessages: [ClientMessage] = []

  var context: ChannelHandlerContext?
  var reader: FrameReader
  var rate: MessageRate
  var needsFlush = false
  /// Rows written since the last flush, and their bytes.
  var unsettled: [(work: LoopBatch, frames: Range<Int>)] = []
  var unsettledBytes = 0
  /// What comes in is not looked at any more.
  var ignoresInput = false
  var hasPendingRead = false
  var pendingPong: ByteBuffer?
  var lastHeard: NIODeadline
  var nextHeartbeat: NIODeadline

  var messages = 0
  var closeCode: UInt16?
  var closer = Closer.network

  var services: GatewayDependencies { hub.services }
  var user: UserID? { identity?.user }
  var queuedBytes: Int { session?.queuedBytes ?? 0 }

  /// Makes the connection of an accepted upgrade, which the admission counts already.
  init(offer: Handshake.Offer, hub: LoopHub) {
    self.hub = hub
    eventLoop = hub.eventLoop
    remote = offer.remote
    acknowledges = offer.acknowledges
    deflater = offer.extensions == nil ? nil : hub.deflater
    credential = offer.credential
    since = offer.since
    started = eventLoop.now
    lastHeard = started
    // Spread, so that a storm of connects is no storm of heartbeats for ever.
    let interval = Int64(hub.services.settings.heartbeatSeconds) * 1_000
    nextHeartbeat = started + .milliseconds(.random(in: (interval / 2)...max(interval, 1)))
    reader = FrameReader(
      limit: hub.services.limits.messageBytes, inflater: offer.extensions == nil ? nil : hub.inflater)
    rate = MessageRate(perSecond: hub.services.limits.messageRate, now: started)
  }

  // MARK: The socket

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    hub.add(self)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    ended()
    self.context = nil
  }

  func channelInactive(context: ChannelHandlerContext) {
    ended()
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    receive(unwrapInboundIn(data))
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    flushIfNeeded()
  }

  /// A peer that takes nothing is not read from either, so that what it asks for can't pile up.
  func read(context: ChannelHandlerContext) {
    if context.channel.isWritable {
      context.read()
    } else {
      hasPendingRead = true
    }
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    guard context.channel.isWritable else { return }
    if let owed = pendingPong {
      pendingPong = nil
      write(ControlFrame.pong(owed))
      flushIfNeeded()
    }
    if hasPendingRead {
      hasPendingRead = false
      context.read()
    }
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A reset or a broken TLS record: nothing can be said to the peer any more.
    context.close(promise: nil)
  }

  // MARK: Writing

  /// Queues bytes; `flushIfNeeded` sends them.
  func write(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>? = nil) {
    guard let context else {
      promise?.fail(ChannelError.alreadyClosed)
      return
    }
    needsFlush = true
    context.write(wrapOutboundOut(bytes), promise: promise)
  }

  func flushIfNeeded() {
    guard needsFlush else { return }
    needsFlush = false
    context?.flush()
    settleRows()
  }

  /// Writes a message of the bridge.
  func send(_ message: ServerMessage) {
    messages += 1
    write(ByteBuffer(bytes: FrameEncoder.text(message.json)))
  }
}
