import NIOCore
import NotifyCore
import Synchronization

/// One event loop's connections and what they have to know of the database. Touched only on its loop.
final class LoopHub {
  let eventLoop: any EventLoop
  let services: GatewayDependencies
  /// Nil where no connection has compressed frames.
  let deflater: Deflater?
  let inflater = Inflater()

  /// Who is in which group.
  var groups = GroupTable<ClientConnection>()
  /// The newest cursor: all rows before it were routed on this loop.
  private(set) var cursor: String?
  /// What the newest delta saw that was routed to its end on this loop.
  private(set) var passed: Snapshot?
  /// The epoch, once it has changed: answers of the one before are void.
  private(set) var epoch: Epoch?
  /// Lost connections to the database.
  private(set) var generation: UInt64 = 0
  /// What has ended access lately.
  private(set) var revocations = RevocationHistory()
  private(set) var isDraining = false

  private(set) var connections: [ClientConnection] = []
  private var httpHandlers: [ObjectIdentifier: HTTPHandler] = [:]
  private var touched: [ClientConnection] = []
  /// Routed and not flushed yet: batches, and their bytes.
  private var unflushed = (batches: 0, bytes: 0)
  private var written: [PendingMark] = []
  private var handsOver = false
  private var isTicking = false
  private let queuedBytes: QueueGauge
  private let news: LazyCursor
  private var routed: UInt64 = 0

  init(eventLoop: any EventLoop, services: GatewayDependencies, queuedBytes: QueueGauge, news: LazyCursor) {
    self.eventLoop = eventLoop
    self.services = services
    deflater = services.settings.deflateFromBytes.map {
      Deflater(minimum: $0, counter: services.metrics.rowsDeflated)
    }
    self.queuedBytes = queuedBytes
    self.news = news
  }

  // MARK: Rows

  /// Routes a batch to this loop's connections.
  ///
  /// - Parameter isFollowed: another batch waits already, so that one flush can serve both.
  func route(_ batch: DeliveryBatch, _ bytes: ByteBuffer, isFollowed: Bool) {
    consumeLazyCursor()
    routed += 1
    // What waits for a flush here must not make its client look slow.
    if unflushed.bytes + batch.bytes.count > services.limits.queueBytes { flush() }
    let work = LoopBatch(batch, bytes)
    for group in batch.groups {
      for connection in groups[group.user] where connection.route(work, group.frames) {
        touched.append(connection)
      }
    }
    if let cursor = batch.cursor {
      self.cursor = cursor
      passed = batch.snapshot
    }
    unflushed.batches += 1
    unflushed.bytes += batch.bytes.count
    // Bounded, or a store that is always ahead would put the flush off for ever.
    if isFollowed, unflushed.batches < Limits.batchesInFlight { return }
    flush()
  }

  private func flush() {
    unflushed = (0, 0)
    // What is confirmed meanwhile is handed over here, and needs no task of its own.
    handsOver = true
    for connection in touched { connection.flushRows() }
    touched.removeAll(keepingCapacity: true)
    handOver()
  }

  /// Learns of deltas that held nothing for this loop; call before `cursor` or `passed` is used.
  func consumeLazyCursor() {
    guard let news = news.take(routed: routed) else { return }
    cursor = news.cursor
    passed = news.snapshot
  }

  /// Rows were written: `add` names them. They are handed over together at the end of this turn.
  func confirm(_ add: (inout [PendingMark]) -> Void) {
    add(&written)
    if handsOver || written.isEmpty { return }
    handsOver = true
    eventLoop.assumeIsolated().execute { [self] in handOver() }
  }

  private func handOver() {
    handsOver = false
    if written.isEmpty { return }
    let rows = written
    // Room for as many again, not for the most there ever were.
    written = []
    written.reserveCapacity(rows.count)
    services.confirmations.written(rows)
  }

  // MARK: The database

  func reconnected(generation: UInt64, durable: UInt64) {
    consumeLazyCursor()
    self.generation = generation
    passed = passed?.lowered(to: durable + 1)
    for connection in connections {
      connection.lower(durable: durable)
      // Ids may be given again: what a look-up saw by them proves nothing any more.
      connection.identity?.seen = nil
    }
  }

  func epochChanged(to epoch: Epoch, generation: UInt64) {
    consumeLazyCursor()
    self.epoch = epoch
    self.generation = generation
    cursor = nil
    passed = nil
    closeAll()
  }

  /// Closes the sockets whose access has ended.
  func revoke(_ index: RevocationIndex) {
    revocations.add(index)
    for connection in connections { connection.revoke(index) }
  }

  /// Closes every socket for a restart: with a random delay, or all would come back at once.
  private func closeAll() {
    for connection in connections {
      connection.close(.restart(retryMilliseconds: .random(in: 0...Limits.retryMilliseconds)))
    }
  }

  /// Takes no connection any more and closes all.
  func drain() {
    isDraining = true
    closeAll()
    for handler in httpHandlers.values { handler.drain() }
  }

  /// Gives up the sockets whose peers did not close in time.
  func abandon() {
    for connection in connections { connection.context?.close(promise: nil) }
  }

  // MARK: Connections

  /// A connection begins.
  func add(_ connection: ClientConnection) {
    connection.index = connections.count
    connections.append(connection)
    startTicking()
  }

  /// A connection has ended.
  func remove(_ connection: ClientConnection) {
    let index = connection.index
    guard connections.indices.contains(index), connections[index] === connection else { return }
    let last = connections.removeLast()
    if last !== connection {
      connections[index] = last
      last.index = index
    }
  }

  func add(_ handler: HTTPHandler) { httpHandlers[ObjectIdentifier(handler)] = handler }

  func remove(_ handler: HTTPHandler) { httpHandlers[ObjectIdentifier(handler)] = nil }

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
