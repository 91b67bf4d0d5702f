import NIOCore
import NotifyCore
import TestSupport
import Testing

@testable import NotifyGateway

@Suite("A WebSocket decides as a value, without a socket")
struct ClientStateMachineTests {
  private static let expired = Identity(user: StateMachineBench.user, expires: 1)

  // MARK: Connecting

  @Test("A first message that came with the upgrade brings the credential, and has ten seconds for its verification")
  func firstMessage() {
    var bench = StateMachineBench(.upgrading)
    #expect(bench.receive(.authenticate(token: "second")) == .none)
    #expect(bench.begin(.awaitFirstMessage) == .verify(StateMachineBench.second))
    var late = StateMachineBench(.waitingForCredential)
    #expect(late.tick(seconds: 9) == ClientStateMachine.TickActions())
    #expect(late.receive(.authenticate(token: "second")) == .verify(StateMachineBench.second))
    #expect(late.tick(seconds: 9) == ClientStateMachine.TickActions())
    #expect(late.tick(seconds: 1) != ClientStateMachine.TickActions())
  }

  @Test(
    "Messages before connection_established wait for it, in order, and are bounded",
    arguments: [Situation.upgrading, .verifying, .joining])
  func earlyMessages(situation: Situation) throws {
    var bench = StateMachineBench(situation)
    let messages = (0..<GatewayLimits.earlyMessages).map { ClientMessage.read([.integer(Int64($0))], source: nil) }
    for message in messages { #expect(bench.receive(message) == .none) }
    var flooded = bench
    #expect(flooded.receive(.ping) == .close(.tooManyMessages))
    if situation == .upgrading { _ = bench.begin(.credential(StateMachineBench.first)) }
    if situation != .joining { _ = bench.verified(.accepted(bench.identity)) }
    guard case .open(_, epoch: .test, let early) = bench.replayed(StateMachineBench.page()) else {
      Issue.record("not open")
      return
    }
    #expect(early == messages)
  }

  @Test("A credential that can't be looked up is tried again each second, on a connect and later")
  func retries() {
    for (situation, credential) in [
      (Situation.verifying, StateMachineBench.first), (.reverifying, StateMachineBench.second),
    ] {
      var bench = StateMachineBench(situation)
      for _ in 0..<3 {
        #expect(bench.verified(.unavailable(detail: "away")) == .none)
        #expect(bench.tick(seconds: 0) == ClientStateMachine.TickActions())
        #expect(bench.tick(seconds: 1) == ClientStateMachine.TickActions(verify: credential))
        // Once for each attempt.
        #expect(bench.tick(seconds: 1) == ClientStateMachine.TickActions())
      }
    }
  }

  @Test("Access that ended while the credential was verified does not begin, nor go on")
  func revokedMeanwhile() {
    for situation in [Situation.verifying, .reverifying] {
      var bench = StateMachineBench(situation)
      bench.revoke()
      let action = bench.verified(.accepted(bench.identity))
      #expect(
        action
          == (situation == .verifying
            ? .reject(.unauthorized(.revoked), detail: "access ended while the credential was verified")
            : .close(.unauthorized(.revoked))))
      // A look-up that saw the revocation found the credential good all the same.
      var seen = StateMachineBench(situation)
      seen.revoke()
      let identity = Identity(user: StateMachineBench.user, expires: nil, seen: Snapshot(xmax: 200))
      #expect(
        seen.verified(.accepted(identity))
          == (situation == .verifying ? .join(StateMachineBench.user, since: "c5") : .none))
      // Not so after a lost connection: transaction ids may be given again.
      var lost = StateMachineBench(situation)
      lost.revoke()
      lost.events.generation = 1
      _ = lost.verified(.accepted(identity))
      #expect(lost.situation == .closing)
    }
  }

  @Test("After more revocations than are remembered the credential is verified again at once")
  func forgottenRevocations() {
    var bench = StateMachineBench(.verifying)
    let others = (0...Limits.rememberedRevocations).map {
      Revocation(user: UserID(Int64(1_000 + $0)), scope: .user, reason: .revoked, txid: 150)
    }
    bench.revocations.add(RevocationIndex(others))
    bench.events.revocations = bench.revocations.serial
    #expect(bench.verified(.accepted(bench.identity)) == .none)
    #expect(bench.tick(seconds: 0) == ClientStateMachine.TickActions(verify: StateMachineBench.first))
    #expect(bench.verified(.accepted(bench.identity)) == .join(StateMachineBench.user, since: "c5"))
  }

  // MARK: Expiry

  @Test(
    "A token that has expired ends the connection with 4001, during the replay as well",
    arguments: [Situation.replaying, .open, .reverifying])
  func expires(situation: Situation) {
    var bench = StateMachineBench(situation, identity: Self.expired)
    bench.wall = 999_999
    #expect(bench.tick(seconds: 0) == ClientStateMachine.TickActions())
    bench.wall = 1_000_000
    #expect(
      bench.tick(seconds: 0)
        == ClientStateMachine.TickActions(then: .perform(.close(.unauthorized(.expired)))))
    // Pages and rows that were under way are not written any more, those in the socket still count.
    #expect(bench.replayed(StateMachineBench.page()) == .none)
    #expect(bench.machine.pageFlushed(limits: bench.limits, now: bench.now) == .nothing)
    #expect(bench.route(StateMachineBench.rows) == .nothing)
  }

  @Test("A session that has expired is looked up once more, and goes on where it was prolonged")
  func renews() {
    let identity = Identity(user: StateMachineBench.user, expires: 1, renewal: .any(Secret("again")))
    var bench = StateMachineBench(.open, identity: identity)
    bench.wall = 1_000_000
    #expect(bench.tick(seconds: 0) == ClientStateMachine.TickActions(verify: .any(Secret("again"))))
    #expect(bench.tick(seconds: 0) == ClientStateMachine.TickActions())
    #expect(bench.verified(.accepted(Identity(user: StateMachineBench.user, expires: 3_600))) == .none)
    #expect(bench.situation == .open)
    #expect(bench.tick(seconds: 0) == ClientStateMachine.TickActions())
  }

  @Test("After a reload of the logins the credential is verified again, once; a ticket's socket stays")
  func verifiesAgain() {
    var bench = StateMachineBench(.open)
    bench.machine.isVerificationDue = true
    #expect(bench.tick(seconds: 0) == ClientStateMachine.TickActions(verify: StateMachineBench.first))
    #expect(bench.tick(seconds: 0) == ClientStateMachine.TickActions())
    #expect(bench.verified(.rejected(.invalid, detail: "")) == .close(.unauthorized(.invalid)))
    // One that came while another credential was being verified.
    var busy = StateMachineBench(.reverifying)
    busy.machine.isVerificationDue = true
    #expect(busy.tick(seconds: 0) == ClientStateMachine.TickActions())
    #expect(busy.verified(.accepted(busy.identity)) == .none)
    #expect(busy.tick(seconds: 0) == ClientStateMachine.TickActions(verify: StateMachineBench.second))
    // A session's own cookie, not all of the request's.
    let cookie = Credential.cookie(Secret("sessionid=a"))
    let session = Identity(user: StateMachineBench.user, expires: nil, login: .session("a"), renewal: cookie)
    var logged = StateMachineBench(.open, identity: session)
    logged.machine.isVerificationDue = true
    #expect(logged.tick(seconds: 0) == ClientStateMachine.TickActions(verify: cookie))
    var ticket = StateMachineBench(
      .open, identity: Identity(user: StateMachineBench.user, expires: nil, login: .ticket))
    ticket.machine.isVerificationDue = true
    #expect(ticket.tick(seconds: 0) == ClientStateMachine.TickActions())
    #expect(ticket.situation == .open)
  }

  // MARK: Messages

  @Test("Messages, pings, pongs and empty fragments count against the rate, whatever they say")
  func rate() {
    var bench = StateMachineBench(.open)
    for _ in 0..<25 {
      #expect(bench.receive(.ping(ByteBuffer())) == .pong(ByteBuffer()))
      #expect(bench.receive(.message(ByteBuffer(string: #"{"type":"ping"}"#))) == .answerPing(withCursor: true))
    }
    #expect(bench.receive(.ping(ByteBuffer())) == .close(.tooManyMessages))
    for event in [FrameReader.Event.pong, .emptyFragment] {
      var bench = StateMachineBench(.open)
      for _ in 0..<50 { #expect(bench.receive(event) == .none) }
      #expect(bench.receive(event) == .close(.tooManyMessages))
    }
  }

  @Test("Of several pings of a peer that reads nothing the last is answered, once it reads again")
  func pendingPong() {
    var bench = StateMachineBench(.open)
    for text in ["a", "b"] { #expect(bench.receive(.ping(ByteBuffer(string: text)), isWritable: false) == .none) }
    var closed = bench
    _ = closed.machine.restart(now: closed.now)
    #expect(closed.machine.becameWritable() == .none, "a close frame is the last frame")
    #expect(bench.machine.becameWritable() == .pong(ByteBuffer(string: "b")))
    #expect(bench.machine.becameWritable() == .none)
  }

  @Test("Ids of a table that is not served are ignored, and a table's name is needed where several are served")
  func tables() {
    var bench = StateMachineBench(.open)
    #expect(bench.receive(.read([1, 2], source: "public.other")) == .ignoreIDs(2))
    let two = TableCatalog(StateMachineBench.tables.tables + [.init(number: 2, name: "b", recipientKind: .uuid)])
    let action = bench.machine.receive(
      .acknowledge([1], source: nil), tables: two, limits: bench.limits, events: bench.events, now: bench.now)
    #expect(action == .reportError("\"source\" is missing: more than one table is served"))
  }

  @Test("An acknowledgement marks the rows that were sent on this connection, once")
  func acknowledgements() {
    var bench = StateMachineBench(.open, acknowledges: true)
    #expect(bench.route(StateMachineBench.rows) == .write([0..<2]))
    let marks = [PendingMark(key: RowKey(txid: 200, id: 10), user: StateMachineBench.user)]
    #expect(
      bench.receive(.acknowledge([10, 77], source: nil)) == .acknowledge(marks, ignored: 1, then: .nothing))
    #expect(bench.receive(.acknowledge([10], source: nil)) == .acknowledge([], ignored: 1, then: .nothing))
  }

  // MARK: Rows and the end

  @Test("A client that takes nothing of what waits is closed with 4008, and its late flushes still count")
  func takesNothing() {
    var bench = StateMachineBench(.open)
    bench.limits.queueBytes = 1
    #expect(bench.route(StateMachineBench.rows) == .writeAll)
    #expect(bench.route(StateMachineBench.rows) == .nothing)
    #expect(bench.situation == .replaying)
    #expect(bench.tick(seconds: 1, taken: 7) == ClientStateMachine.TickActions())
    #expect(bench.tick(seconds: 5, taken: 7) == ClientStateMachine.TickActions())
    // Whatever it says meanwhile.
    #expect(bench.readsBytes() == true)
    #expect(bench.tick(seconds: 1, taken: 7).then == .perform(.close(.tooSlow)))
    #expect(bench.situation == .closing)
    #expect(bench.machine.queuedBytes == StateMachineBench.rows.bytes.count)
    let catchesUp = bench.machine.flushed(bytes: StateMachineBench.rows.bytes.count)
    #expect(bench.machine.queuedBytes == 0 && !catchesUp)
  }

  @Test("A client that takes a large row slowly is alive, and so is one for which nothing waits")
  func takesSome() {
    var bench = StateMachineBench(.open)
    for taken in UInt64(0)..<20 {
      #expect(bench.tick(seconds: 10, isWritable: false, taken: taken) == ClientStateMachine.TickActions())
    }
    #expect(bench.tick(seconds: 10, isWritable: false) == ClientStateMachine.TickActions())
    #expect(bench.tick(seconds: 10, isWritable: false, taken: 19) == ClientStateMachine.TickActions())
    #expect(bench.tick(seconds: 10, isWritable: false, taken: 20) == ClientStateMachine.TickActions())
    #expect(bench.tick(seconds: 6, isWritable: false, taken: 20).then == .perform(.close(.tooSlow)))
  }

  @Test(
    "What a client sends before its connection is open is bounded in bytes: then it has to wait",
    arguments: [Situation.upgrading, .verifying, .joining])
  func earlyBytes(situation: Situation) {
    var bench = StateMachineBench(situation)
    let message = ByteBuffer(string: #"{"type":"authenticate","token":"\#(String(repeating: "x", count: 5_000))"}"#)
    #expect(bench.receive(.message(message)) == .none && !bench.machine.holdsInput)
    #expect(bench.receive(.message(message)) == .none && bench.machine.holdsInput)
    _ = bench.machine.close(.normal, now: bench.now)
    #expect(!bench.machine.holdsInput)
  }

  @Test("A table that is back closes the connections whose replay lacks it for a restart, live ones too, and no other")
  func returnedTable() {
    for phase in [Situation.replaying, .open] {
      var bench = StateMachineBench(.joining)
      _ = bench.replayed(StateMachineBench.page(lacking: 2))
      if phase == .open { _ = bench.machine.pageFlushed(limits: bench.limits, now: bench.now) }
      #expect(bench.machine.tablesReturned([1, 3], now: bench.now) == .none)
      #expect(
        bench.machine.tablesReturned([2], now: bench.now)
          == .close(.restart(retryMilliseconds: StateMachineBench.retry)))
      #expect(bench.machine.tablesReturned([2], now: bench.now) == .none)
    }
  }

  @Test("Rows that come during the replay follow it")
  func holdsBack() {
    var bench = StateMachineBench(.joining)
    #expect(bench.route(StateMachineBench.rows) == .nothing)
    _ = bench.replayed(StateMachineBench.page())
    let held = FrameSelection(StateMachineBench.rows, 0..<2)
    #expect(
      bench.machine.pageFlushed(limits: bench.limits, now: bench.now)
        == .writeAndGoLive([held], bytes: StateMachineBench.rows.bytes.count))
    #expect(bench.situation == .open)
  }

  @Test("A heartbeat waits for a peer that is behind, and bytes taken or sent are signs of life")
  func heartbeats() {
    var bench = StateMachineBench(.open)
    #expect(bench.tick(seconds: 30, isWritable: false) == ClientStateMachine.TickActions())
    bench.machine.rowsFlushed(now: bench.now)
    #expect(bench.tick(seconds: 60) == ClientStateMachine.TickActions(then: .heartbeat(withCursor: true)))
    #expect(bench.tick(seconds: 0) == ClientStateMachine.TickActions())
    #expect(bench.readsBytes() == true)
    #expect(bench.tick(seconds: 60) == ClientStateMachine.TickActions(then: .heartbeat(withCursor: true)))
  }

  @Test("An echo server sends messages back and opens without a credential; a client's binary message is unsupported")
  func echoes() {
    var bench = StateMachineBench()
    #expect(bench.begin(.echo) == .none)
    let payload = ByteBuffer(string: "x")
    #expect(bench.receive(.message(payload)) == .echo(payload, isText: true))
    #expect(bench.receive(.binary(payload)) == .echo(payload, isText: false))
    #expect(bench.receive(.close(code: 1000)) == .answerClose(1000))
    var client = StateMachineBench(.open)
    #expect(client.receive(.binary(payload)) == .close(.unsupportedData))
  }

  @Test("A peer that doesn't answer our close frame is closed after five seconds, once")
  func closeTimeout() {
    var bench = StateMachineBench(.closing)
    #expect(bench.tick(seconds: 4) == ClientStateMachine.TickActions())
    #expect(bench.tick(seconds: 1) == ClientStateMachine.TickActions(then: .perform(.closeSocket)))
    #expect(bench.tick(seconds: 1) == ClientStateMachine.TickActions())
  }

  @Test("Nothing is read behind the peer's close frame or a broken frame, and the first side to close is logged")
  func stopsReading() {
    var closed = StateMachineBench(.open)
    _ = closed.receive(.close(code: nil))
    #expect(closed.readsBytes() == false)
    #expect(closed.machine.ended() == .forget(code: 1005, closer: .client, leaves: false))
    var answered = StateMachineBench(.closing)
    _ = answered.receive(.close(code: nil))
    #expect(answered.readsBytes() == false)
    var broken = StateMachineBench(.closing)
    #expect(broken.readsBytes() == true)
    _ = broken.machine.receiveBroken(FrameReader.Violation(reason: .protocolError), now: broken.now)
    #expect(broken.readsBytes() == false)
    #expect(broken.machine.ended() == .forget(code: 1012, closer: .server, leaves: false))
    #expect(broken.readsBytes() == false)
  }
}
