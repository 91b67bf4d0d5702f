import NIOCore
import NotifyCore
import TestSupport
import Testing

@testable import NotifyGateway

@Suite("Every input to a WebSocket has its action in every state")
struct ClientStateMachineTableTests {
  typealias Action = ClientStateMachine.Action
  typealias Start = ClientStateMachine.Start

  /// An input, one of each kind that is answered differently.
  enum Input: CaseIterable {
    case beginWithCredential, beginWithFirstMessage, beginWithout, beginAsOneTooMany, beginWhileDraining
    case accepted, acceptedAsAnotherUser, rejected, unavailable
    case page, pageOfAnotherEpoch, pageFlushed
    case pingMessage, acknowledgement, readReceipt, authenticate, invalidMessage
    case pingFrame, pongFrame, closeFrame, brokenFrame, writable
    case tickAfterOneSecond, tickAfterHeartbeat, tickAfterSilence
    case revocation, restart, tableReturned, close, rows, reconnected, ended
  }

  /// What an input led to.
  enum Outcome: Equatable {
    case action(Action)
    case tick(ClientStateMachine.TickActions)
    case routing(DeliverySession.Routing)
    case next(DeliverySession.Next)
  }

  @Test("Every situation is reached by inputs alone", arguments: Situation.allCases)
  func reachable(situation: Situation) {
    #expect(StateMachineBench(situation).situation == situation)
  }

  @Test(
    "Each input in each situation has the action and the next situation of the table", arguments: Input.allCases,
    Situation.allCases)
  func table(input: Input, situation: Situation) {
    var bench = StateMachineBench(situation)
    let outcome = Self.give(input, to: &bench)
    let expected = Self.expected(input, in: situation)
    #expect(outcome == expected.outcome)
    #expect(bench.situation == expected.situation)
  }

  private static func give(_ input: Input, to bench: inout StateMachineBench) -> Outcome {
    let now = bench.now
    switch input {
    case .beginWithCredential: return .action(bench.begin(.credential(StateMachineBench.first)))
    case .beginWithFirstMessage: return .action(bench.begin(.awaitFirstMessage))
    case .beginWithout: return .action(bench.begin(.noCredential))
    case .beginAsOneTooMany: return .action(bench.begin(.tooMany(.tooManyConnects)))
    case .beginWhileDraining: return .action(bench.begin(.draining))
    case .accepted: return .action(bench.verified(.accepted(bench.identity)))
    case .acceptedAsAnotherUser:
      return .action(bench.verified(.accepted(Identity(user: UserID(2), expires: nil))))
    case .rejected: return .action(bench.verified(.rejected(.inactive, detail: "test")))
    case .unavailable: return .action(bench.verified(.unavailable(detail: "away")))
    case .page: return .action(bench.replayed(StateMachineBench.page()))
    case .pageOfAnotherEpoch: return .action(bench.replayed(StateMachineBench.page(), epoch: .other))
    case .pageFlushed: return .next(bench.machine.pageFlushed(limits: bench.limits, now: now))
    case .pingMessage: return .action(bench.receive(.ping))
    case .acknowledgement: return .action(bench.receive(.acknowledge([5], source: nil)))
    case .readReceipt: return .action(bench.receive(.read([5], source: nil)))
    case .authenticate: return .action(bench.receive(.authenticate(token: "second")))
    case .invalidMessage: return .action(bench.receive(.invalid("why")))
    case .pingFrame: return .action(bench.receive(.ping(ByteBuffer(string: "p"))))
    case .pongFrame: return .action(bench.receive(.pong))
    case .closeFrame: return .action(bench.receive(.close(code: 1001)))
    case .brokenFrame:
      return .action(bench.machine.receiveBroken(FrameReader.Violation(reason: .protocolError), now: now))
    case .writable: return .action(bench.machine.becameWritable())
    case .tickAfterOneSecond: return .tick(bench.tick(seconds: 1))
    case .tickAfterHeartbeat: return .tick(bench.tick(seconds: 31))
    case .tickAfterSilence: return .tick(bench.tick(seconds: 61))
    case .revocation:
      let index = RevocationIndex([Revocation(user: StateMachineBench.user, scope: .user, reason: .revoked, txid: 150)])
      return .action(bench.machine.revoke(index, now: now))
    case .restart: return .action(bench.machine.restart(now: now))
    case .tableReturned: return .action(bench.machine.tablesReturned([2], now: now))
    case .close: return .action(bench.machine.close(.tooManyConnections, now: now))
    case .rows: return .routing(bench.route(StateMachineBench.rows))
    case .reconnected: return .action(bench.machine.reconnected(durable: 90, now: now))
    case .ended: return .action(bench.machine.ended())
    }
  }

  // MARK: The table

  private static func expected(_ input: Input, in situation: Situation) -> (outcome: Outcome, situation: Situation) {
    switch input {
    case .beginWithCredential, .beginWithFirstMessage, .beginWithout, .beginAsOneTooMany, .beginWhileDraining:
      return situation == .upgrading ? begin(input) : (.action(.none), situation)
    case .accepted, .acceptedAsAnotherUser, .rejected, .unavailable:
      return verdict(input, situation)
    case .page, .pageOfAnotherEpoch, .pageFlushed:
      return page(input, situation)
    case .pingMessage, .acknowledgement, .readReceipt, .authenticate, .invalidMessage:
      return message(input, situation)
    case .pingFrame, .pongFrame, .closeFrame, .brokenFrame, .writable:
      return frame(input, situation)
    case .tickAfterOneSecond, .tickAfterHeartbeat, .tickAfterSilence:
      return tick(input, situation)
    case .revocation, .restart, .tableReturned, .close, .rows, .reconnected, .ended:
      return event(input, situation)
    }
  }

  private static func begin(_ input: Input) -> (Outcome, Situation) {
    switch input {
    case .beginWithCredential: (.action(.verify(StateMachineBench.first)), .verifying)
    case .beginWithFirstMessage: (.action(.none), .waitingForCredential)
    case .beginWithout:
      (.action(.reject(.unauthorized(.missing), detail: "the connect brought no credential")), .closing)
    case .beginAsOneTooMany:
      (.action(.reject(.tooManyConnects, detail: "too many connects from this address")), .closing)
    default: (.action(.close(.restart(retryMilliseconds: StateMachineBench.retry))), .closing)
    }
  }

  private static func verdict(_ input: Input, _ situation: Situation) -> (Outcome, Situation) {
    switch (situation, input) {
    case (.verifying, .accepted): (.action(.join(StateMachineBench.user, since: "c5")), .joining)
    case (.verifying, .acceptedAsAnotherUser): (.action(.join(UserID(2), since: "c5")), .joining)
    case (.verifying, .rejected): (.action(.reject(.unauthorized(.inactive), detail: "test")), .closing)
    case (.reverifying, .accepted): (.action(.none), .open)
    case (.reverifying, .acceptedAsAnotherUser): (.action(.close(.unauthorized(.invalid))), .closing)
    case (.reverifying, .rejected): (.action(.close(.unauthorized(.inactive))), .closing)
    default: (.action(.none), situation)
    }
  }

  private static func page(_ input: Input, _ situation: Situation) -> (Outcome, Situation) {
    let page = StateMachineBench.page()
    let rows = FrameSelection(page.batch, 0..<0)
    switch (situation, input) {
    case (.joining, .page):
      let opening = DeliverySession.Opening(established: .with(cursor: "c100"), truncated: nil, rows: rows)
      return (.action(.open(opening, epoch: .test, early: [])), .replaying)
    case (.replaying, .page):
      let opening = DeliverySession.Opening(established: nil, truncated: nil, rows: rows)
      return (.action(.writePage(opening, epoch: .test)), .replaying)
    case (.joining, .pageOfAnotherEpoch), (.replaying, .pageOfAnotherEpoch), (.open, .pageOfAnotherEpoch),
      (.reverifying, .pageOfAnotherEpoch):
      return (.action(.close(.restart(retryMilliseconds: StateMachineBench.retry))), .closing)
    case (.replaying, .pageFlushed):
      let next = ReplayPage.Position(
        snapshot: Snapshot(xmax: 100), last: RowKey(txid: 50, id: 1), since: nil, unsent: true)
      return (.next(.request(.page(of: next))), .replaying)
    case (_, .pageFlushed):
      return (.next(.nothing), situation)
    default:
      return (.action(.none), situation)
    }
  }

  private static func message(_ input: Input, _ situation: Situation) -> (Outcome, Situation) {
    switch (situation, input) {
    case (.waitingForCredential, .authenticate):
      return (.action(.verify(StateMachineBench.second)), .verifying)
    case (.waitingForCredential, _):
      return (
        .action(.reject(.unauthorized(.missing), detail: "the first message was no authenticate")), .closing
      )
    case (_, .pingMessage) where situation.isOpen:
      return (.action(.answerPing(withCursor: situation != .replaying)), situation)
    case (_, .acknowledgement) where situation.isOpen:
      return (.action(.acknowledge([], ignored: 1, then: .nothing)), situation)
    case (_, .readReceipt) where situation.isOpen:
      return (.action(.recordRead(StateMachineBench.user, [5])), situation)
    case (.reverifying, .authenticate):
      return (.action(.reportError("the credential before this one is still being verified")), situation)
    case (_, .authenticate) where situation.isOpen:
      return (.action(.verify(StateMachineBench.second)), .reverifying)
    case (_, .invalidMessage) where situation.isOpen:
      return (.action(.reportError("why")), situation)
    default:
      // Kept for later, or too late.
      return (.action(.none), situation)
    }
  }

  private static func frame(_ input: Input, _ situation: Situation) -> (Outcome, Situation) {
    switch (situation, input) {
    case (.closing, .closeFrame): (.action(.closeSocket), .closing)
    case (.closing, .brokenFrame): (.action(.endOutput), .closing)
    case (_, .pingFrame) where !situation.isOver: (.action(.pong(ByteBuffer(string: "p"))), situation)
    case (_, .closeFrame) where !situation.isOver: (.action(.answerClose(1001)), .closing)
    case (_, .brokenFrame) where !situation.isOver: (.action(.closeAndEndOutput(.protocolError)), .closing)
    default: (.action(.none), situation)
    }
  }

  private static func tick(_ input: Input, _ situation: Situation) -> (Outcome, Situation) {
    let tryLater = CloseReason.tryLater(retryMilliseconds: StateMachineBench.retry)
    func perform(_ action: Action, _ next: Situation) -> (Outcome, Situation) {
      (.tick(ClientStateMachine.TickActions(then: .perform(action))), next)
    }
    switch (situation, input) {
    case (_, .tickAfterOneSecond), (.upgrading, _), (.closed, _):
      return (.tick(ClientStateMachine.TickActions()), situation)
    case (.waitingForCredential, _):
      return perform(.reject(.unauthorized(.missing), detail: "no authenticate message in time"), .closing)
    case (.verifying, _):
      return perform(.reject(tryLater, detail: "the credential could not be looked up in time"), .closing)
    case (.joining, _):
      return perform(.reject(tryLater, detail: "the replay could not be read in time"), .closing)
    case (.closing, _):
      return perform(.closeSocket, .closing)
    case (_, .tickAfterHeartbeat):
      let heartbeat = ClientStateMachine.TickActions.Then.heartbeat(withCursor: situation != .replaying)
      return (.tick(ClientStateMachine.TickActions(then: heartbeat)), situation)
    default:
      return perform(.close(.unresponsive), .closing)
    }
  }

  private static func event(_ input: Input, _ situation: Situation) -> (Outcome, Situation) {
    switch (situation, input) {
    case (.joining, .revocation), (.replaying, .revocation), (.open, .revocation), (.reverifying, .revocation):
      return (.action(.close(.unauthorized(.revoked))), .closing)
    case (_, .restart) where !situation.isOver, (.replaying, .reconnected), (.joining, .tableReturned):
      return (.action(.close(.restart(retryMilliseconds: StateMachineBench.retry))), .closing)
    case (_, .close) where !situation.isOver:
      return (.action(.close(.tooManyConnections)), .closing)
    case (.open, .rows), (.reverifying, .rows):
      return (.routing(.writeAll), situation)
    case (_, .rows):
      return (.routing(.nothing), situation)
    case (.closing, .ended):
      return (.action(.forget(code: 1012, closer: .server, leaves: false)), .closed)
    case (_, .ended) where situation != .closed:
      return (.action(.forget(code: 1006, closer: .network, leaves: true)), .closed)
    default:
      return (.action(.none), situation)
    }
  }
}
