import NIOCore
import NotifyCore
import Synchronization

/// Hands rows and news of the database to every event loop, in order, and makes the store wait where a loop lags behind.
final class Hub: DeliverySink {
  /// One event loop's part, and how many batches are on their way to it.
  final class Member: Sendable {
    let eventLoop: any EventLoop
    let loop: NIOLoopBoundBox<LoopHub>
    let queued = Atomic<Int>(0)
    let queuedBytes = QueueGauge()
    let news = LazyCursor()

    init(_ eventLoop: any EventLoop, _ services: GatewayDependencies) {
      self.eventLoop = eventLoop
      loop = .makeBoxSendingValue(
        LoopHub(eventLoop: eventLoop, services: services, queuedBytes: queuedBytes, news: news), eventLoop: eventLoop)
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
  private let eventLoops: [any EventLoop]
  private let users: UserRegistry
  private let state = Mutex(State())

  init(eventLoops: [any EventLoop], services: GatewayDependencies) {
    self.eventLoops = eventLoops
    members = eventLoops.map { Member($0, services) }
    users = services.users
  }

  /// The part of an event loop of the gateway's group.
  func member(of eventLoop: any EventLoop) -> Member? {
    members.first { $0.eventLoop === eventLoop }
  }

  /// Bytes of rows waiting in all sockets, as of each loop's last tick.
  var queuedBytes: Int {
    members.reduce(0) { $0 + $1.queuedBytes.bytes.load(ordering: .relaxed) }
  }

  // MARK: DeliverySink

  func present(_ users: [UserID]) -> [Bool] { self.users.present(users) }

  func deliver(_ batch: DeliveryBatch) async {
    if state.withLock({ $0.inFlight >= Limits.batchesInFlight }) { await room() }
    // Whoever joins from now on gets these rows by its replay, which is read later than they were.
    let isConcerned = users.concerned(eventLoops, by: batch.groups)
    var concerned = 0
    for (member, isConcerned) in zip(members, isConcerned) {
      if isConcerned {
        concerned += 1
      } else if let cursor = batch.cursor {
        member.news.put(LazyCursor.News(cursor: cursor, snapshot: batch.snapshot))
      }
    }
    if concerned == 0 { return }
    state.withLock { $0.inFlight += 1 }
    let bytes = ByteBuffer(bytes: batch.bytes)
    let flight = Flight(concerned)
    for (member, isConcerned) in zip(members, isConcerned) where isConcerned {
      member.news.sending()
      member.queued.add(1, ordering: .relaxed)
      member.eventLoop.execute { [self] in
        let queued = member.queued.subtract(1, ordering: .relaxed).newValue
        member.loop.value.route(batch, bytes, isFollowed: queued > 0)
        landed(flight)
      }
    }
  }

  /// Returns once fewer than `Limits.batchesInFlight` batches are on their way.
  private func room() async {
    await withCheckedContinuation { continuation in
      let hasRoom = state.withLock { state -> Bool in
        if state.inFlight < Limits.batchesInFlight { return true }
        // One caller, in order: never two that wait.
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
    let index = RevocationIndex(revocations)
    onEveryLoop { $0.revoke(index) }
  }

  func epochChanged(to epoch: Epoch, generation: UInt64) {
    onEveryLoop { $0.epochChanged(to: epoch, generation: generation) }
  }

  /// Does something to each loop's part, on its loop, after the batches that were delivered before.
  func onEveryLoop(_ body: @escaping @Sendable (LoopHub) -> Void) {
    for member in members {
      member.eventLoop.execute { body(member.loop.value) }
    }
  }
}
