import NIOCore
import NIOHTTP1
import Testing

@testable import NotifyGateway

@Suite("An HTTP connection reads a request, responds and reads on, or ends")
struct HTTPStateMachineTests {
  typealias Action = HTTPStateMachine.Action

  /// Every state, with what its data may be.
  enum Start: String, CaseIterable {
    case tlsHandshake, firstRequest, firstBody, nextRequest, nextBody, drainingRequest
    case unwritable, unwritableHoldingBack
    case responding, respondingLast, respondingClosed, respondingHoldingBack, closing, upgraded

    var machine: HTTPStateMachine {
      var machine = HTTPStateMachine(isSecure: self == .tlsHandshake, isDraining: self == .drainingRequest)
      switch self {
      case .tlsHandshake, .firstRequest, .drainingRequest: break
      case .firstBody: _ = machine.received(.head(head(length: 3)))
      case .nextRequest:
        machine.request()
        _ = machine.responseReady()
      case .nextBody:
        machine = Start.nextRequest.machine
        _ = machine.received(.head(head(length: 3)))
      case .unwritable, .unwritableHoldingBack:
        machine = Start.nextRequest.machine
        machine.writabilityChanged(false)
        if self == .unwritableHoldingBack { machine.request() }
      case .responding: machine.request()
      case .respondingLast:
        machine.request()
        _ = machine.drain()
      case .respondingClosed:
        machine.request()
        _ = machine.inputClosed()
      case .respondingHoldingBack:
        machine.request()
        _ = machine.received(.head(head()))
        _ = machine.readRequested()
      case .closing: _ = machine.receivedMalformed(isTooLarge: false)
      case .upgraded:
        machine.request()
        _ = machine.upgraded()
      }
      return machine
    }

    var isReading: Bool {
      switch self {
      case .tlsHandshake, .firstRequest, .firstBody, .nextRequest, .nextBody, .drainingRequest: true
      default: false
      }
    }

    /// Whether the next request waits until the socket takes output again.
    var isUnwritable: Bool { self == .unwritable || self == .unwritableHoldingBack }

    var isResponding: Bool {
      switch self {
      case .responding, .respondingLast, .respondingClosed, .respondingHoldingBack: true
      default: false
      }
    }

    /// Whether the time until a whole request runs, as it does for a connection's first.
    var isTimed: Bool { self == .firstRequest || self == .firstBody || self == .drainingRequest }
  }

  /// A request's head that nothing is wrong with.
  static func head(_ headers: HTTPHeaders = [:], length: Int? = nil, uri: String = "/") -> HTTPRequestHead {
    var headers = headers
    headers.add(name: "Host", value: "x")
    if let length { headers.add(name: "Content-Length", value: "\(length)") }
    return HTTPRequestHead(version: .http1_1, method: .GET, uri: uri, headers: headers)
  }

  static let body = ByteBuffer(string: "abc")

  @Test("A head is kept while reading, held back during a response, and dropped afterwards", arguments: Start.allCases)
  func head(start: Start) {
    var machine = start.machine
    #expect(machine.received(.head(Self.head())) == .nothing)
    #expect(machine.received(.end(nil)) == (start.isReading ? .handle(Self.head(), body: ByteBuffer()) : .nothing))
  }

  @Test("A head that could be read in two ways is refused while reading alone", arguments: Start.allCases)
  func ambiguousHead(start: Start) {
    var machine = start.machine
    let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/")
    let action = machine.received(.head(head))
    #expect(action == (start.isReading ? .refuse(.badRequest, "exactly one Host header is needed") : .nothing))
    if start.isReading { Self.expectClosing(machine) }
  }

  @Test(
    "A client that waits with its body gets 100 Continue, unless a response is due",
    arguments: Start.allCases)
  func expectContinue(start: Start) {
    var machine = start.machine
    let action = machine.received(.head(Self.head(["Expect": "100-Continue"], length: 3)))
    #expect(action == (start.isReading ? .sendContinue : .nothing))
  }

  @Test("A client of HTTP/1.0 gets no 100, which it would take for the response", arguments: Start.allCases)
  func expectContinueOld(start: Start) {
    var machine = start.machine
    var head = Self.head(["Expect": "100-continue"], length: 3)
    head.version = .http1_0
    #expect(machine.received(.head(head)) == .nothing)
  }

  @Test("A body that is announced as too large is refused at once, and not waited for", arguments: Start.allCases)
  func announcedBody(start: Start) {
    for length in [GatewayLimits.bodyBytes + 1, .max] {
      var machine = start.machine
      let action = machine.received(.head(Self.head(["Expect": "100-continue"], length: length)))
      #expect(action == (start.isReading ? .refuse(.payloadTooLarge, "body too large") : .nothing))
      if start.isReading { Self.expectClosing(machine) }
    }
    var machine = start.machine
    #expect(machine.received(.head(Self.head(length: GatewayLimits.bodyBytes))) == .nothing)
  }

  @Test("A body is collected up to its bound; beyond, it is refused", arguments: Start.allCases)
  func body(start: Start) {
    var machine = start.machine
    _ = machine.received(.head(Self.head()))
    #expect(machine.received(.body(ByteBuffer(repeating: 1, count: GatewayLimits.bodyBytes - 1))) == .nothing)
    #expect(machine.received(.body(ByteBuffer(repeating: 1, count: 1))) == .nothing)
    let action = machine.received(.body(ByteBuffer(repeating: 1, count: 1)))
    #expect(action == (start.isReading ? .refuse(.payloadTooLarge, "body too large") : .nothing))
    if start.isReading { Self.expectClosing(machine) }
  }

  @Test("The end of a request starts its response, with the body in one piece")
  func whole() {
    for start in [Start.firstBody, .nextBody] {
      var machine = start.machine
      #expect(machine.received(.body(ByteBuffer(string: "a"))) == .nothing)
      #expect(machine.received(.body(ByteBuffer(string: "bc"))) == .nothing)
      #expect(machine.received(.end(nil)) == .handle(Self.head(length: 3), body: Self.body))
    }
    for start in Start.allCases where ![.firstBody, .nextBody].contains(start) {
      var machine = start.machine
      #expect(machine.received(.end(nil)) == .nothing, "an end without a head in \(start)")
    }
  }

  @Test(
    "Unreadable input is refused while reading, and ends the connection after a response", arguments: Start.allCases)
  func malformed(start: Start) {
    for isTooLarge in [false, true] {
      var machine = start.machine
      let refusal: Action =
        isTooLarge ? .refuse(.requestHeaderFieldsTooLarge, "headers too large") : .refuse(.badRequest, "bad request")
      let isRefused = start.isReading || start == .unwritable
      #expect(machine.receivedMalformed(isTooLarge: isTooLarge) == (isRefused ? refusal : .nothing))
      if isRefused { Self.expectClosing(machine) }
      if start == .unwritableHoldingBack {
        machine.writabilityChanged(true)
        while machine.resume() != nil {}
        #expect(machine.responseReady() == .endOutput)
      }
      if start.isResponding { #expect(machine.responseReady() == (start == .respondingClosed ? .close : .endOutput)) }
    }
  }

  @Test("A response is followed by the next request, or by the end", arguments: Start.allCases)
  func responseReady(start: Start) {
    var machine = start.machine
    let ending: HTTPStateMachine.AfterResponse? =
      switch start {
      case .responding, .respondingHoldingBack: .keepAlive
      case .respondingLast: .endOutput
      case .respondingClosed: .close
      default: nil
      }
    #expect(machine.responseReady() == ending)
    #expect(machine.responseReady() == nil)
    if ending == .endOutput || ending == .close { Self.expectClosing(machine) }
  }

  @Test(
    "The last request of a connection is one that says so, that switches, or that comes while the bridge stops",
    arguments: [
      ([("Connection", "close")], Start.firstRequest), ([("Connection", "Upgrade"), ("Upgrade", "x")], .firstRequest),
      ([], .drainingRequest),
    ] as [([(String, String)], Start)])
  func last(headers: [(String, String)], start: Start) {
    var machine = start.machine
    _ = machine.received(.head(Self.head(HTTPHeaders(headers))))
    _ = machine.received(.end(nil))
    #expect(machine.responseReady() == .endOutput)
  }

  @Test("Input is held back only during a response or the socket takes no output", arguments: Start.allCases)
  func resumeElsewhere(start: Start) {
    var machine = start.machine
    #expect(machine.resume() == nil)
  }

  @Test("The socket is read, but not during a response or it takes no output", arguments: Start.allCases)
  func readRequested(start: Start) {
    var machine = start.machine
    #expect(machine.readRequested() == (start.isResponding || start.isUnwritable ? .nothing : .read))
  }

  @Test("An upgrade lets the socket be read where that was held back", arguments: Start.allCases)
  func upgraded(start: Start) {
    var machine = start.machine
    #expect(machine.upgraded() == (start == .respondingHoldingBack ? .read : .nothing))
    #expect(machine.received(.head(Self.head())) == .nothing)
    #expect(machine.timedOut() == .nothing)
  }

  @Test("The peer's end closes the socket, at once or after the responses", arguments: Start.allCases)
  func inputClosed(start: Start) {
    var machine = start.machine
    #expect(machine.inputClosed() == (start.isResponding || start.isUnwritable ? .nothing : .close))
    switch start {
    case .respondingHoldingBack:
      // Half a request is none.
      #expect(machine.responseReady() == .keepAlive)
      #expect(machine.resume() == .nothing)
      #expect(machine.resume() == .close)
    case .responding, .respondingLast, .respondingClosed:
      #expect(machine.responseReady() == .close)
    case .unwritable:
      #expect(machine.timedOut() == .close)
      machine.writabilityChanged(true)
      #expect(machine.resume() == .close)
    case .unwritableHoldingBack:
      machine.writabilityChanged(true)
      #expect(machine.resume() == .nothing)
      #expect(machine.resume() == .handle(Self.head(), body: ByteBuffer()))
      #expect(machine.responseReady() == .close)
    default: break
    }
  }

  @Test(
    "A stop of the bridge closes an idle connection at once, and another after its response", arguments: Start.allCases)
  func drain(start: Start) {
    var machine = start.machine
    #expect(machine.drain() == (start.isReading || start.isUnwritable ? .close : .nothing))
    if start.isResponding { #expect(machine.responseReady() == (start == .respondingClosed ? .close : .endOutput)) }
  }

  @Test("A late first request gets 408, and any other wait ends without a response", arguments: Start.allCases)
  func timedOut(start: Start) {
    var machine = start.machine
    let action: Action =
      if start.isTimed {
        .refuse(.requestTimeout, "request too slow")
      } else if start.isResponding || start == .upgraded {
        .nothing
      } else {
        .close
      }
    #expect(machine.timedOut() == action)
    if start.isTimed { Self.expectClosing(machine) }
  }

  @Test("After the TLS handshake the time of the first request runs", arguments: Start.allCases)
  func secured(start: Start) {
    var machine = start.machine
    let before = machine
    machine.secured()
    var (after, unchanged) = (machine, before)
    if start == .tlsHandshake {
      #expect(after.timedOut() == .refuse(.requestTimeout, "request too slow"))
    } else {
      #expect(after.timedOut() == unchanged.timedOut())
    }
  }

  /// After the last response nothing is read as a request, and the time until the peer's end runs.
  static func expectClosing(_ machine: HTTPStateMachine) {
    var machine = machine
    #expect(machine.received(.head(head())) == .nothing)
    #expect(machine.received(.end(nil)) == .nothing)
    #expect(machine.readRequested() == .read)
    #expect(machine.timedOut() == .close)
  }
}

extension HTTPStateMachine {
  /// A whole request comes.
  mutating func request() {
    _ = received(.head(HTTPStateMachineTests.head()))
    _ = received(.end(nil))
  }
}
