import NIOCore
import NIOHTTP1
import Testing

@testable import NotifyGateway

/// Input that waits, while a request is answered or while the socket takes no output.
extension HTTPStateMachineTests {
  @Test("Input that came during a response is read after it, in order, and then the socket is")
  func resume() {
    var machine = Start.responding.machine
    for uri in ["/1", "/2"] {
      #expect(machine.received(.head(Self.head(uri: uri))) == .nothing)
      #expect(machine.received(.end(nil)) == .nothing)
    }
    #expect(machine.readRequested() == .nothing)
    for uri in ["/1", "/2"] {
      #expect(machine.resume() == nil)
      #expect(machine.responseReady() == .keepAlive)
      #expect(machine.resume() == .nothing)
      #expect(machine.resume() == .handle(Self.head(uri: uri), body: ByteBuffer()))
    }
    #expect(machine.responseReady() == .keepAlive)
    #expect(machine.resume() == .read)
    #expect(machine.resume() == nil)
  }

  @Test(
    "A socket that takes no output holds the next request and reads back, until it does again",
    arguments: Start.allCases)
  func writabilityChanged(start: Start) {
    var machine = start.machine
    machine.writabilityChanged(false)
    #expect(machine.resume() == nil)
    #expect(machine.received(.head(Self.head(uri: "/next"))) == .nothing)
    #expect(machine.received(.end(nil)) == .nothing)
    let isHeldBack = start.isReading || start.isUnwritable || start.isResponding
    #expect(machine.readRequested() == (isHeldBack ? .nothing : .read))
    machine.writabilityChanged(true)
    var actions: [Action] = []
    while let action = machine.resume() { actions.append(action) }
    switch start {
    case .firstBody, .nextBody, .tlsHandshake, .firstRequest, .nextRequest, .drainingRequest, .unwritable:
      #expect(actions == [.nothing, .handle(Self.head(uri: "/next"), body: ByteBuffer())])
    case .unwritableHoldingBack:
      #expect(actions == [.nothing, .handle(Self.head(), body: ByteBuffer())])
      #expect(machine.responseReady() == .keepAlive)
      #expect(machine.resume() == .nothing)
      #expect(machine.resume() == .handle(Self.head(uri: "/next"), body: ByteBuffer()))
    default:
      #expect(actions.isEmpty)
      return
    }
    #expect(machine.responseReady() == (start == .drainingRequest ? .endOutput : .keepAlive))
    if start != .drainingRequest { #expect(machine.resume() == .read) }
  }

  @Test("A response that fills the socket is the last until there is room again")
  func fullAfterResponse() {
    var machine = Start.respondingHoldingBack.machine
    machine.writabilityChanged(false)
    #expect(machine.responseReady() == .keepAlive)
    #expect(machine.resume() == nil)
    #expect(machine.timedOut() == .close)
    machine.writabilityChanged(true)
    #expect(machine.resume() == .nothing)
    #expect(machine.resume() == .read)
  }

  @Test("All requests that came before the peer's end are answered, and the last response ends the connection")
  func requestsBeforeEnd() {
    var machine = Start.responding.machine
    machine.request()
    machine.request()
    #expect(machine.inputClosed() == .nothing)
    for _ in 0..<2 {
      #expect(machine.responseReady() == .keepAlive)
      #expect(machine.resume() == .nothing)
      #expect(machine.resume() == .handle(Self.head(), body: ByteBuffer()))
      #expect(machine.resume() == nil)
    }
    #expect(machine.responseReady() == .close)
    Self.expectClosing(machine)
  }

  @Test("An upgrade that waits when the peer ends its side closes the socket")
  func upgradeBeforeEnd() {
    var machine = Start.responding.machine
    _ = machine.received(.head(Self.head(["Connection": "upgrade", "Upgrade": "websocket"])))
    _ = machine.received(.end(nil))
    _ = machine.inputClosed()
    #expect(machine.responseReady() == .keepAlive)
    #expect(machine.resume() == .nothing)
    #expect(machine.resume() == .close)
    #expect(machine.resume() == nil)
  }

  @Test("Of what comes while a request is answered only so much is kept: then its response is the last")
  func heldBackBound() {
    let requests = GatewayLimits.heldBackParts / 2
    for isOver in [false, true] {
      var machine = Start.responding.machine
      for _ in 0..<requests { machine.request() }
      if isOver { #expect(machine.received(.head(Self.head())) == .nothing) }
      #expect(machine.responseReady() == (isOver ? .endOutput : .keepAlive))
      if isOver { Self.expectClosing(machine) }
    }
  }

  @Test("Of what comes while the socket takes no output only so much is kept: then the next response is the last")
  func heldBackBoundUnwritable() {
    var machine = Start.unwritable.machine
    for _ in 0...GatewayLimits.heldBackParts { machine.request() }
    machine.writabilityChanged(true)
    #expect(machine.resume() == .nothing)
    #expect(machine.resume() == .handle(Self.head(), body: ByteBuffer()))
    #expect(machine.responseReady() == .endOutput)
    Self.expectClosing(machine)
  }
}
