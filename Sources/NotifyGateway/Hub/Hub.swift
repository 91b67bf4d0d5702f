import NIOCore
import NotifyCore
import Synchronization

/// Fans batches and database events out to the event loops, in order, with backpressure.
final class Hub: DeliverySink {
  /// One event loop's part, and how many batches are in flight to it.
  final class Member: Sendable {
    let eventLoop: any EventLoop
    let set: LoopSet
    let loop: NIOLoopBoundBox<ClientHub>
    let queued = Atomic<Int>(0)
    let queuedBytes = QueueGauge()
    let lazyCursor = LazyCursor()

    init(
      _ eventLoop: any EventLoop, number: Int, _ dependencies: GatewayDependencies,
      _ users: UserRegistry<ClientConnection>
    ) {
      self.eventLoop = eventLoop
      set = LoopSet(loop: number)
      loop = .makeBoxSendingValue(
        ClientHub(
          eventLoop: eventLoop, set: set, dependencies: dependencies, users: users, queuedBytes: queuedBytes,
          lazyCursor: lazyCursor),
        eventLoop: eventLoop)
    }
  }

  /// A batch that not all loops have routed yet.
  private final class Flight: Sendable {
    let remaining: Atomic<Int>
    init(_ loops: Int) { remaining = Atomic(loops) }
  }

  private struct State {
    var inFlight = 0
    var waiting: CheckedContinuation<Void, Never>?
  }

  let members: [Member]
  private let users: UserRegistry<ClientConnection>
  private let status: BridgeStatus
  private let state = Mutex(State())

  init(eventLoops: [any EventLoop], dependencies: GatewayDependencies) {
    let users = UserRegistry<ClientConnection>(limit: dependencies.limits.connectionsPerUser)
    self.users = users
    status = dependencies.status
    members = eventLoops.enumerated().map { Member($0.element, number: $0.offset, dependencies, users) }
  }

  /// The part of an event loop of the gateway's group.
  func member(of eventLoop: any EventLoop) -> Member? {
    members.first { $0.eventLoop === eventLoop }
  }

  /// Users with at least one socket.
  var userCount: Int { users.count }

  /// Bytes of rows waiting in all sockets, as of each loop's last tick.
  var queuedBytes: Int {
    members.reduce(0) { $0 + $1.queuedBytes.bytes.load(ordering: .relaxed) }
  }

  // MARK: DeliverySink

  func loops(of users: [UserID]) -> [LoopSet] { self.users.loops(of: users) }

  func deliver(_ batch: DeliveryBatch) async {
    if state.withLock({ $0.inFlight >= Limits.batchesInFlight }) { await room() }
    var loops = LoopSet.none
    for group in batch.groups { loops.formUnion(group.loops) }
    var concerned = 0
    for member in members {
      if loops.intersects(member.set) {
        concerned += 1
      } else if batch.isEnd {
        member.lazyCursor.publish(LazyCursor.DeltaEnd(cursor: batch.cursor, snapshot: batch.snapshot))
      }
    }
    if concerned == 0 { return }
    state.withLock { $0.inFlight += 1 }
    let shared = SharedFrames(batch)
    let flight = Flight(concerned)
    for member in members where loops.intersects(member.set) {
      member.lazyCursor.batchSent()
      member.queued.add(1, ordering: .relaxed)
      member.eventLoop.execute { [self] in
        let queued = member.queued.subtract(1, ordering: .relaxed).newValue
        member.loop.value.route(batch, shared, isFollowed: queued > 0)
        landed(flight)
      }
    }
  }

  /// Returns once fewer than `Limits.batchesInFlight` batches are in flight.
  private func room() async {
    await withCheckedContinuation { continuation in
      let hasRoom = state.withLock { state -> Bool in
        if state.inFlight < Limits.batchesInFlight { return true }
        // `deliver` has one caller: never two wait.
        state.waiting = continuation
        return false
      }
      if hasRoom { continuation.resume() }
    }
  }

  private func landed(_ flight: Flight) {
    guard flight.remaining.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 else { return }
    state.withLock { state -> CheckedContinuation<Void, Never>? in
      state.inFlight -= 1
      defer { state.waiting = nil }
      return state.waiting
    }?.resume()
  }

  func reconnected(generation: UInt64, durable: UInt64) {
    onEveryLoop { $0.reconnected(generation: generation, durable: durable) }
  }

  func revoke(_ revocations: [Revocation]) {
    let tables = status.catalog
    let index = RevocationIndex(revocations.map { $0.canonical(among: tables) })
    onEveryLoop { $0.revoke(index) }
  }

  func tablesReturned(_ tables: [Int32]) {
    onEveryLoop { $0.tablesReturned(tables) }
  }

  func settled() async {
    for member in members {
      await withCheckedContinuation { continuation in
        // Behind the batches, and behind the reports that they schedule.
        member.eventLoop.execute { member.eventLoop.execute { continuation.resume() } }
      }
    }
  }

  func epochChanged(to epoch: Epoch, generation: UInt64) {
    onEveryLoop { $0.epochChanged(to: epoch, generation: generation) }
  }

  /// Runs `body` with each loop's part, on its loop, after the batches that were delivered before.
  func onEveryLoop(_ body: @escaping @Sendable (ClientHub) -> Void) {
    for member in members {
      member.eventLoop.execute { body(member.loop.value) }
    }
  }
}
