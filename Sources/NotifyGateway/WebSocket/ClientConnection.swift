import NIOCore
import NotifyCore

/// An event loop's hub of WebSockets.
typealias ClientHub = LoopHub<ClientConnection>

/// The channel handler of one WebSocket, from the answered upgrade to the end of the socket. Touched only on its event
/// loop.
///
/// It does I/O and performs the actions of its `ClientStateMachine`, which decides. It is the only handler behind the
/// socket (and TLS): it reads frames itself and writes whole frames.
final class ClientConnection: ChannelDuplexHandler, LoopMember {
  typealias InboundIn = ByteBuffer
  typealias OutboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  let hub: ClientHub
  let eventLoop: any EventLoop
  let remote: String
  /// Compresses its frames, where that was agreed on.
  let deflater: Deflater?
  let started: NIODeadline

  var machine: ClientStateMachine
  /// The request's credential, until `begin`.
  var credential: Credential?
  var index = 0

  private(set) var context: ChannelHandlerContext?
  var reader: FrameReader
  /// The replay that is being read.
  var pendingReplay: ReplayCancellation?
  /// Bytes were written since the last flush.
  private(set) var needsFlush = false
  /// Live rows written since the last flush, and their bytes.
  var awaitingFlush: [(batch: LoopBatch, frames: Range<Int>)] = []
  var awaitingFlushBytes = 0
  /// Writes of rows that the kernel did not take at once, and has not taken yet.
  var flushesUnderWay = 0
  private var hasPendingRead = false
  /// Messages that were written, for the log.
  var messages = 0
  /// Rows that the kernel took, and bytes that were written.
  var takenRows = 0
  private(set) var writtenBytes = 0
  /// The request's header, where sockets are logged.
  var userAgent: String?
  /// The socket's name in the connection log, once it is there, and when it opened.
  var logged: (number: UInt64, opened: Int64)?

  var dependencies: GatewayDependencies { hub.dependencies }
  var queuedBytes: Int { machine.queuedBytes }
  var isWritable: Bool { context?.channel.isWritable ?? false }
  var events: ClientStateMachine.LoopEvents {
    ClientStateMachine.LoopEvents(revocations: hub.revocations.serial, generation: hub.generation)
  }

  /// Makes the connection of an accepted upgrade, which the admission counts already.
  init(offer: Handshake.Offer, hub: ClientHub) {
    self.hub = hub
    eventLoop = hub.eventLoop
    remote = offer.remote
    deflater = offer.extensions == nil ? nil : hub.deflater
    credential = offer.credential
    started = eventLoop.now
    let limits = hub.dependencies.limits
    let interval = Double(hub.dependencies.settings.heartbeatSeconds) * 1_000
    // One number for both: each is a call of the kernel, and the two instants have nothing to do with each other.
    let random = Double.random(in: 0...1)
    machine = ClientStateMachine(
      since: offer.since, acknowledges: offer.acknowledges, messageRate: limits.messageRate,
      retryMilliseconds: Int(random * Double(Limits.retryMilliseconds)),
      firstHeartbeat: started + .milliseconds(Int64((1 + random) * interval / 2)), now: started)
    reader = FrameReader(
      limit: limits.messageBytes, inflater: offer.extensions == nil ? nil : hub.inflater,
      takesBinary: hub.dependencies.settings.echoes)
  }

  // MARK: The socket

  func handlerAdded(context: ChannelHandlerContext) {
    self.context = context
    hub.add(self)
  }

  func handlerRemoved(context: ChannelHandlerContext) {
    perform(machine.ended())
    self.context = nil
  }

  func channelInactive(context: ChannelHandlerContext) {
    perform(machine.ended())
    context.fireChannelInactive()
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    receive(unwrapInboundIn(data))
  }

  func channelReadComplete(context: ChannelHandlerContext) {
    flush()
  }

  /// A peer that takes nothing is not read from either, so that the answers to it can't pile up.
  func read(context: ChannelHandlerContext) {
    if context.channel.isWritable, !machine.holdsInput {
      context.read()
    } else {
      hasPendingRead = true
    }
  }

  /// Reads on after a pause: the peer takes bytes again, or the connection is open.
  func resumeInput() {
    guard hasPendingRead, isWritable, !machine.holdsInput else { return }
    hasPendingRead = false
    receiveFrames()
    flush()
    context?.read()
  }

  func channelWritabilityChanged(context: ChannelHandlerContext) {
    guard context.channel.isWritable else { return }
    perform(machine.becameWritable())
    flush()
    resumeInput()
  }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    // A reset or a broken TLS record: nothing reaches the peer any more.
    context.close(promise: nil)
  }

  private func receive(_ bytes: ByteBuffer) {
    guard machine.receiveBytes(now: eventLoop.now) else { return }
    reader.append(bytes)
    receiveFrames()
  }

  private func receiveFrames() {
    let now = eventLoop.now
    do throws(FrameReader.Violation) {
      while machine.acceptsInput, !machine.holdsInput, let event = try reader.next() {
        perform(
          machine.receive(
            event, isWritable: isWritable, tables: dependencies.status.catalog, limits: dependencies.limits,
            events: events, now: now))
      }
    } catch {
      perform(machine.receiveBroken(error, now: now))
    }
  }

  // MARK: Writing

  /// Queues bytes; `flush` sends them.
  func write(_ bytes: ByteBuffer, promise: EventLoopPromise<Void>? = nil) {
    guard let context else {
      promise?.fail(ChannelError.alreadyClosed)
      return
    }
    needsFlush = true
    writtenBytes += bytes.readableBytes
    context.write(wrapOutboundOut(bytes), promise: promise)
  }

  /// Sends the bytes written since the last flush, if there are any.
  func flush() {
    guard needsFlush else { return }
    needsFlush = false
    context?.flush()
    completeFlush()
  }

  /// Writes a message of the bridge.
  func send(_ message: ServerMessage) {
    messages += 1
    write(ByteBuffer(bytes: FrameEncoder.text(message.json)))
  }

  /// Writes a message, compressed like rows.
  func send(_ payload: ByteBuffer, isText: Bool) {
    messages += 1
    let frame = FrameEncoder.frame(payload.readableBytesView, isText: isText)
    guard let deflater else { return write(ByteBuffer(bytes: frame)) }
    var bytes = ByteBuffer()
    frame.withUnsafeBytes { deflater.append($0, to: &bytes) }
    write(bytes)
  }
}
