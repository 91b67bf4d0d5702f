import NIOCore
import NIOHTTP1

/// The life of a connection before it is a WebSocket: requests one at a time, each read whole and then answered.
///
/// A value without I/O: one method per input, which returns the caller's next action. Invariants: a request is handled
/// only after the response before it was written, and the socket has room for its response; after a refusal nothing more is
/// read as a request.
struct HTTPStateMachine {
  /// The caller's next step.
  enum Action: Equatable {
    case nothing
    /// Let the socket be read.
    case read
    /// Tell the client to send the body that it waits with.
    case sendContinue
    /// Answer this request, then call `responseReady()` or `upgraded()`.
    case handle(HTTPRequestHead, body: ByteBuffer)
    /// Write this as the last response, end the output, and read on for the peer's end.
    case refuse(HTTPResponseStatus, String)
    /// Close the socket.
    case close
  }

  /// The step after a response.
  enum AfterResponse: Equatable {
    /// The next request may come: once the response is written, call `resume()`.
    case keepAlive
    /// It is the last: end the output, and read on for the peer's end.
    case endOutput
    /// It is the last, and the peer's end came already: close the socket.
    case close
  }

  private enum State {
    /// A request is awaited or comes.
    case reading(Reading)
    /// A request is being answered.
    case responding(Responding)
    /// The last response was written; the peer's end is awaited.
    case closing
    /// The connection is a WebSocket.
    case upgraded
  }

  /// The event before a request.
  private enum Stage { case accept, tlsHandshake, response }

  private struct Reading {
    var stage: Stage
    /// The next response is the last, whatever the request says.
    var isLast = false
    /// The peer has ended its side.
    var isInputClosed = false
    /// Of the request that comes.
    var head: HTTPRequestHead?
    var body = ByteBuffer()
    var heldBack = HeldBack()
  }

  private struct Responding {
    /// The response is the last.
    var isLast: Bool
    /// The peer has ended its side.
    var isInputClosed = false
    var heldBack: HeldBack
  }

  /// Input that waits while a request is answered, or the socket has no room.
  private struct HeldBack {
    private(set) var parts = CircularBuffer<HTTPServerRequestPart>()
    /// More came than is kept. What follows is no whole request any more.
    private(set) var isCut = false
    /// The pipeline wants to read the socket.
    var read = false

    /// Keeps a part, as far as there is room.
    mutating func append(_ part: HTTPServerRequestPart) {
      isCut = isCut || parts.count >= GatewayLimits.heldBackParts
      if !isCut { parts.append(part) }
    }

    mutating func popFirst() -> HTTPServerRequestPart? { parts.popFirst() }
  }

  private var state: State
  /// Whether the socket takes more output.
  private var isWritable = true

  /// Begins a connection.
  ///
  /// - Parameters:
  ///   - isSecure: a TLS handshake comes before the first request.
  ///   - isDraining: the bridge stops: one request is answered.
  init(isSecure: Bool, isDraining: Bool) {
    state = .reading(Reading(stage: isSecure ? .tlsHandshake : .accept, isLast: isDraining))
  }

  // MARK: Requests

  /// A part of a request came.
  mutating func received(_ part: HTTPServerRequestPart) -> Action {
    switch state {
    case .reading(var reading):
      // The state lets go of its buffers, so that they grow in place. A refusal leaves it so.
      state = .closing
      guard isWritable, reading.heldBack.parts.isEmpty, !reading.heldBack.isCut else {
        reading.heldBack.append(part)
        reading.isLast = reading.isLast || reading.heldBack.isCut
        state = .reading(reading)
        return .nothing
      }
      return read(part, reading)
    case .responding(var responding):
      state = .closing
      responding.heldBack.append(part)
      responding.isLast = responding.isLast || responding.heldBack.isCut
      state = .responding(responding)
      return .nothing
    case .closing, .upgraded:
      return .nothing
    }
  }

  private mutating func read(_ part: HTTPServerRequestPart, _ reading: consuming Reading) -> Action {
    switch part {
    case .head(var head):
      if !RequestRules.readValues(of: &head.headers) { return .refuse(.badRequest, "a control character in a header") }
      if let why = RequestRules.refusal(head) { return .refuse(.badRequest, why) }
      if RequestRules.hasTooLargeBody(head) { return .refuse(.payloadTooLarge, "body too large") }
      reading.head = head
      state = .reading(reading)
      return RequestRules.expectsContinue(head) ? .sendContinue : .nothing
    case .body(var bytes):
      reading.body.writeBuffer(&bytes)
      if reading.body.readableBytes > GatewayLimits.bodyBytes { return .refuse(.payloadTooLarge, "body too large") }
      state = .reading(reading)
      return .nothing
    case .end:
      guard let head = reading.head else {
        state = .reading(reading)
        return .nothing
      }
      // A WebSocket needs both sides. The state is `closing`.
      if reading.isInputClosed, RequestRules.isSwitching(head) { return .close }
      let isLast = reading.isLast || !head.isKeepAlive || RequestRules.isSwitching(head)
      state = .responding(Responding(isLast: isLast, isInputClosed: reading.isInputClosed, heldBack: reading.heldBack))
      return .handle(head, body: reading.body)
    }
  }

  /// Bytes came that are no request.
  mutating func receivedMalformed(isTooLarge: Bool) -> Action {
    switch state {
    case .reading(var reading) where !reading.heldBack.parts.isEmpty:
      // As while a request is answered.
      reading.isLast = true
      state = .reading(reading)
      return .nothing
    case .reading:
      state = .closing
      return isTooLarge
        ? .refuse(.requestHeaderFieldsTooLarge, "headers too large") : .refuse(.badRequest, "bad request")
    case .responding:
      // The request before it gets its response, then the connection ends.
      endAfterResponse()
      return .nothing
    case .closing, .upgraded:
      return .nothing
    }
  }

  /// The request is answered; its response is about to be written.
  ///
  /// - Returns: the step after the response; nil where no request is being answered.
  mutating func responseReady() -> AfterResponse? {
    guard case .responding(let responding) = state else { return nil }
    let isEnd = responding.isInputClosed && responding.heldBack.parts.isEmpty
    if isEnd || responding.isLast {
      state = .closing
      return responding.isInputClosed ? .close : .endOutput
    }
    state = .reading(
      Reading(stage: .response, isInputClosed: responding.isInputClosed, heldBack: responding.heldBack))
    return .keepAlive
  }

  /// Takes input that was held back.
  ///
  /// - Returns: the action before the next call; nil where nothing is held back, another request is to be answered, or the
  ///   socket has no room.
  mutating func resume() -> Action? {
    guard isWritable, case .reading(var reading) = state else { return nil }
    if let part = reading.heldBack.popFirst() {
      state = .closing
      return read(part, reading)
    }
    if reading.isInputClosed {
      state = .closing
      return .close
    }
    let isReadHeldBack = reading.heldBack.read
    reading.heldBack.read = false
    state = .reading(reading)
    return isReadHeldBack ? .read : nil
  }

  /// The request was accepted as an upgrade.
  mutating func upgraded() -> Action {
    defer { state = .upgraded }
    if case .responding(let responding) = state, responding.heldBack.read { return .read }
    return .nothing
  }

  // MARK: The socket

  /// The TLS handshake is done.
  mutating func secured() {
    guard case .reading(var reading) = state, reading.stage == .tlsHandshake else { return }
    reading.stage = .accept
    state = .reading(reading)
  }

  /// The pipeline wants to read the socket.
  mutating func readRequested() -> Action {
    switch state {
    case .reading(var reading) where !isWritable:
      reading.heldBack.read = true
      state = .reading(reading)
      return .nothing
    case .responding(var responding):
      responding.heldBack.read = true
      state = .responding(responding)
      return .nothing
    case .reading, .closing, .upgraded:
      return .read
    }
  }

  /// The socket takes more output, or no more until the peer has read. Then call `resume()`.
  mutating func writabilityChanged(_ isWritable: Bool) { self.isWritable = isWritable }

  /// The peer has ended its side. Requests that wait are still answered.
  mutating func inputClosed() -> Action {
    switch state {
    case .reading(var reading) where !isWritable:
      reading.isInputClosed = true
      state = .reading(reading)
      return .nothing
    case .responding(var responding):
      responding.isInputClosed = true
      state = .responding(responding)
      return .nothing
    case .reading, .closing, .upgraded:
      return .close
    }
  }

  /// The bridge stops: a connection without a request ends now, another with its response.
  mutating func drain() -> Action {
    switch state {
    case .reading:
      return .close
    case .responding:
      endAfterResponse()
      return .nothing
    case .closing, .upgraded:
      return .nothing
    }
  }

  /// The timer ran out.
  mutating func timedOut() -> Action {
    switch state {
    case .reading(let reading) where reading.stage == .accept:
      state = .closing
      return .refuse(.requestTimeout, "request too slow")
    case .reading, .closing:
      return .close
    case .responding, .upgraded:
      return .nothing
    }
  }

  private mutating func endAfterResponse() {
    guard case .responding(var responding) = state else { return }
    responding.isLast = true
    state = .responding(responding)
  }
}
