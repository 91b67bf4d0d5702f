import NIOCore
import NotifyCore
import TestSupport

@testable import NotifyGateway

/// The situations that tests distinguish: each state, and an open connection by what it is busy with.
enum Situation: CaseIterable {
  case upgrading, waitingForCredential, verifying, joining
  /// Open, with pages of the replay to come.
  case replaying
  /// Open and live.
  case open
  /// Open and live, with a second credential being verified.
  case reverifying
  case closing, closed

  /// Whether `connection_established` was written and no close frame.
  var isOpen: Bool { self == .replaying || self == .open || self == .reverifying }
  /// Whether a close frame was written or the socket has ended.
  var isOver: Bool { self == .closing || self == .closed }
}

/// A state machine, and the rest of the world as it sees it.
struct StateMachineBench {
  static let user = UserID(1)
  static let first = Credential.any(Secret("first"))
  static let second = Credential.any(Secret("second"))
  static let retry = 7
  static let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
  static let tables = TableCatalog([.init(number: 1, name: "public.notification", recipientKind: .integer)])

  var machine: ClientStateMachine
  var identity = Identity(user: StateMachineBench.user, expires: nil)
  var revocations = RevocationHistory()
  var events = ClientStateMachine.LoopEvents()
  var limits = Limits()
  var now = StateMachineBench.start
  /// Microseconds since 1970 UTC.
  var wall: Int64 = 0

  /// A machine brought to a situation by inputs alone.
  init(_ situation: Situation = .upgrading, identity: Identity? = nil, acknowledges: Bool = false) {
    machine = ClientStateMachine(
      since: "c5", acknowledges: acknowledges, messageRate: 50, retryMilliseconds: Self.retry,
      firstHeartbeat: Self.start + .seconds(30), now: Self.start)
    if let identity { self.identity = identity }
    switch situation {
    case .upgrading:
      break
    case .waitingForCredential:
      _ = begin(.awaitFirstMessage)
    case .verifying:
      _ = begin(.credential(Self.first))
    case .joining, .replaying, .open, .reverifying:
      _ = begin(.credential(Self.first))
      _ = verified(.accepted(self.identity))
      if situation == .joining { break }
      _ = replayed(Self.page(hasMore: situation == .replaying))
      if situation == .replaying { break }
      _ = machine.pageFlushed(limits: limits, now: now)
      if situation == .reverifying { _ = receive(.authenticate(token: "second")) }
    case .closing:
      _ = begin(.draining)
    case .closed:
      _ = machine.ended()
    }
  }

  /// The situation that the machine is in.
  var situation: Situation {
    switch machine.state {
    case .upgrading: .upgrading
    case .waitingForCredential: .waitingForCredential
    case .verifying: .verifying
    case .joining: .joining
    case .open(nil): machine.membership?.session.phase == .live ? .open : .replaying
    case .open: .reverifying
    case .closing: .closing
    case .closed: .closed
    }
  }

  // MARK: Inputs

  mutating func begin(_ start: ClientStateMachine.Start) -> ClientStateMachine.Action {
    machine.begin(start, events: events, now: now)
  }

  mutating func verified(_ verdict: Verdict) -> ClientStateMachine.Action {
    machine.verified(verdict, revocations: revocations, generation: events.generation, now: now)
  }

  mutating func replayed(_ page: ReplayPage, epoch: Epoch? = nil) -> ClientStateMachine.Action {
    machine.replayed(page, epoch: epoch, generation: events.generation, now: now)
  }

  mutating func receive(_ message: ClientMessage) -> ClientStateMachine.Action {
    machine.receive(message, tables: Self.tables, limits: limits, events: events, now: now)
  }

  mutating func receive(_ event: FrameReader.Event, isWritable: Bool = true) -> ClientStateMachine.Action {
    machine.receive(
      event, isWritable: isWritable, tables: Self.tables, limits: limits, events: events, now: now)
  }

  mutating func tick(
    seconds: Int64, isWritable: Bool = true, taken: UInt64? = nil
  ) -> ClientStateMachine.TickActions {
    now = now + .seconds(seconds)
    return machine.tick(
      now: now, wall: wall, heartbeat: .seconds(30), isWritable: isWritable, taken: taken, events: events)
  }

  mutating func route(_ batch: DeliveryBatch) -> DeliverySession.Routing {
    machine.route(batch, batch.frames.indices, limits: limits, now: now) { batch.byteRange($0).count }
  }

  mutating func revoke() {
    let index = RevocationIndex([Revocation(user: Self.user, scope: .user, reason: .revoked, txid: 150)])
    revocations.add(index)
    events.revocations = revocations.serial
  }

  /// Whether bytes that come now are read.
  mutating func readsBytes() -> Bool { machine.receiveBytes(now: now) }

  // MARK: Samples

  static let rows = Rows.batch([(1, [10, 11])], txid: 200)

  /// A page without rows: the only one, or the first of several.
  static func page(hasMore: Bool = false) -> ReplayPage { hasMore ? firstPage : onlyPage }
  /// A page of a replay that lacks a table.
  static func page(lacking table: Int32) -> ReplayPage { makePage(hasMore: false, omitted: [table]) }

  private static let onlyPage = makePage(hasMore: false)
  private static let firstPage = makePage(hasMore: true)

  private static func makePage(hasMore: Bool, omitted: [Int32] = []) -> ReplayPage {
    let seen = Snapshot(xmax: 100)
    return ReplayPage(
      batch: DeliveryBatch(base: seen, snapshot: seen, cursor: hasMore ? nil : "c100"), truncated: false,
      next: hasMore
        ? ReplayPage.Position(snapshot: seen, last: RowKey(txid: 50, id: 1), since: nil, unsent: true) : nil,
      epoch: .test, generation: 0, durable: 99, omitted: omitted)
  }
}
