import NIOCore
import NotifyCore
import Synchronization

/// One event loop's connections, and the state of the database as far as they need it. Touched only on its loop.
///
/// In this module, so that it is specialised for connections: `route` is the path of every row.
final class LoopHub<Member: LoopMember> {
  let eventLoop: any EventLoop
  let dependencies: GatewayDependencies
  /// Nil where no connection has compressed frames.
  let deflater: Deflater?
  let inflater = Inflater()

  /// The newest cursor: all rows before it were routed on this loop.
  private(set) var cursor: String?
  /// The snapshot of the newest delta that was routed to its end on this loop.
  private(set) var lastRouted: Snapshot?
  /// The epoch, once it has changed: replays of the one before are void.
  private(set) var epoch: Epoch?
  /// Counts lost connections to the database.
  private(set) var generation: UInt64 = 0
  /// The newest revocations.
  private(set) var revocations = RevocationHistory()
  private(set) var isDraining = false

  private var connections: [Member] = []
  private var groups = GroupTable<Member>()
  private var httpHandlers: [ObjectIdentifier: any Drainable] = [:]
  private var touched: [Member] = []
  /// Routed and not flushed yet: batches, and their bytes.
  private var unflushed = (batches: 0, bytes: 0)
  private var delivered: [PendingMark] = []
  private var isFlushScheduled = false
  private var isTicking = false
  /// This loop's place.
  private let set: LoopSet
  private let users: UserRegistry<Member>
  private let queuedBytes: QueueGauge
  private let lazyCursor: LazyCursor
  private var routed: UInt64 = 0

  init(
    eventLoop: any EventLoop, set: LoopSet, dependencies: GatewayDependencies, users: UserRegistry<Member>,
    queuedBytes: QueueGauge, lazyCursor: LazyCursor
  ) {
    self.eventLoop = eventLoop
    self.set = set
    self.dependencies = dependencies
    self.users = users
    deflater = dependencies.settings.deflateFromBytes.map {
      Deflater(
        minimum: $0, windowBits: dependencies.settings.deflateWindowBits, counter: dependencies.metrics.rowsDeflated)
    }
    self.queuedBytes = queuedBytes
    self.lazyCursor = lazyCursor
  }

  // MARK: Rows

  /// Routes a batch to this loop's connections.
  ///
  /// - Parameter isFollowed: another batch waits already, so that one flush can serve both.
  func route(_ batch: DeliveryBatch, _ shared: SharedFrames, isFollowed: Bool) {
    consumeLazyCursor()
    routed += 1
    // Rows that wait for a flush here must not make their client look slow.
    if unflushed.bytes + batch.bytes.count > dependencies.limits.queueBytes { flush() }
    let work = LoopBatch(batch, shared)
    for group in batch.groups where group.loops.intersects(set) {
      for connection in groups[group.user] where connection.route(work, group.frames) {
        touched.append(connection)
      }
    }
    if batch.isEnd {
      cursor = batch.cursor ?? cursor
      lastRouted = batch.snapshot
    }
    unflushed.batches += 1
    unflushed.bytes += batch.bytes.count
    // Bounded, or a store that is always ahead would put the flush off for ever.
    if isFollowed, unflushed.batches < Limits.batchesInFlight { return }
    flush()
  }

  private func flush() {
    unflushed = (0, 0)
    // Rows that are recorded meanwhile are reported below, and need no task of their own.
    isFlushScheduled = true
    for connection in touched { connection.flush() }
    touched.removeAll(keepingCapacity: true)
    reportDelivered()
  }

  /// Takes over the newest lazy cursor; call before `cursor` or `lastRouted` is used.
  func consumeLazyCursor() {
    guard let position = lazyCursor.consume(routed: routed) else { return }
    cursor = position.cursor ?? cursor
    lastRouted = position.snapshot
  }

  /// Records rows as delivered; they are reported together at the end of this turn.
  ///
  /// - Parameter add: appends them.
  func recordDelivered(_ add: (inout [PendingMark]) -> Void) {
    add(&delivered)
    if isFlushScheduled || delivered.isEmpty { return }
    isFlushScheduled = true
    eventLoop.assumeIsolated().execute { [self] in reportDelivered() }
  }

  private func reportDelivered() {
    isFlushScheduled = false
    if delivered.isEmpty { return }
    let rows = delivered
    // Room for as many again, not for the most there ever were.
    delivered = []
    delivered.reserveCapacity(rows.count)
    dependencies.confirmations.delivered(rows)
  }

  // MARK: The database

  func reconnected(generation: UInt64, durable: UInt64) {
    consumeLazyCursor()
    self.generation = generation
    lastRouted = lastRouted?.lowered(to: durable + 1)
    for connection in connections { connection.reconnected(durable: durable) }
  }

  func tablesReturned(_ tables: [Int32]) {
    for connection in connections { connection.tablesReturned(tables) }
  }

  func epochChanged(to epoch: Epoch, generation: UInt64) {
    consumeLazyCursor()
    self.epoch = epoch
    self.generation = generation
    cursor = nil
    lastRouted = nil
    for connection in connections { connection.restart() }
  }

  /// Closes the sockets whose access has ended.
  func revoke(_ index: RevocationIndex) {
    revocations.add(index)
    for connection in connections { connection.revoke(index) }
  }

  /// Has every credential verified again, at the next tick.
  func verifyAgain() {
    for connection in connections { connection.verifyAgain() }
  }

  /// Accepts no connection any more and closes all. Each gets its newest cursor before, so that nothing comes again.
  func drain() {
    isDraining = true
    consumeLazyCursor()
    let last = cursor.map { Heartbeat(now: eventLoop.now, wall: WallClock.microseconds(), cursor: $0) }
    for connection in connections { connection.drain(last) }
    for handler in httpHandlers.values { handler.drain() }
  }

  /// Closes the sockets whose peers did not close in time.
  func abandon() {
    for connection in connections { connection.abandon() }
  }

  // MARK: Connections

  /// Adds a new connection.
  func add(_ connection: Member) {
    connection.index = connections.count
    connections.append(connection)
    startTicking()
  }

  /// Removes a connection that has ended.
  func remove(_ connection: Member) {
    let index = connection.index
    guard connections.indices.contains(index), connections[index] === connection else { return }
    let last = connections.removeLast()
    if last !== connection {
      connections[index] = last
      last.index = index
    }
  }

  /// Adds a connection to its user's group; closes the user's oldest one where that is one too many.
  func join(_ connection: Member, _ user: UserID) {
    groups.join(connection, user)
    dependencies.activity.joined(user, at: WallClock.microseconds())
    let bound = NIOLoopBound(connection, eventLoop: eventLoop)
    guard let oldest = users.join(bound, user, on: set) else { return }
    oldest.eventLoop.execute { oldest.value.close(.tooManyConnections) }
  }

  /// Removes a connection from its user's group.
  func leave(_ connection: Member, _ user: UserID) {
    if groups.leave(connection, user) { dependencies.activity.left(user, at: WallClock.microseconds()) }
    users.leave(connection, user, on: eventLoop)
  }

  /// The connections of a user, oldest first.
  func connections(of user: UserID) -> [Member] { groups[user] }

  /// The connections for which a condition holds.
  func connections(where isIncluded: (Member) -> Bool) -> [Member] { connections.filter(isIncluded) }

  func add(_ handler: any Drainable) { httpHandlers[ObjectIdentifier(handler)] = handler }

  func remove(_ handler: any Drainable) { httpHandlers[ObjectIdentifier(handler)] = nil }

  // MARK: Time

  /// One timer for all connections costs less memory than one each.
  private func startTicking() {
    if isTicking { return }
    isTicking = true
    scheduleTick()
  }

  private func scheduleTick() {
    eventLoop.assumeIsolated().scheduleTask(in: GatewayLimits.tick) { [self] in tick() }
  }

  private func tick() {
    consumeLazyCursor()
    let beat = Heartbeat(now: eventLoop.now, wall: WallClock.microseconds(), cursor: cursor)
    var queued = 0
    // Backwards: a connection that ends meanwhile is replaced by one that was visited.
    for index in connections.indices.reversed() where index < connections.count {
      queued += connections[index].queuedBytes
      connections[index].tick(beat)
    }
    queuedBytes.bytes.store(queued, ordering: .relaxed)
    if connections.isEmpty {
      isTicking = false
    } else {
      scheduleTick()
    }
  }
}
