import Metrics
import NIOCore
import NotifyCore

/// Live rows: route → write → flush → delivered.
extension ClientConnection {
  func route(_ batch: LoopBatch, _ frames: Range<Int>) -> Bool {
    let overhead = queuedRowBytes
    let routing =
      if let deflater {
        machine.route(batch.batch, frames, limits: dependencies.limits, now: eventLoop.now) {
          batch.slice($0, of: frames, by: deflater).readableBytes + $0.count * overhead
        }
      } else {
        machine.route(batch.batch, frames, limits: dependencies.limits, now: eventLoop.now) {
          batch.batch.byteRange($0).count + $0.count * overhead
        }
      }
    let hadWritten = needsFlush
    switch routing {
    case .nothing:
      return false
    case .writeAll:
      write(batch, frames, of: frames)
    case .write(let runs):
      for run in runs { write(batch, run, of: frames) }
    case .close(let reason):
      writeClose(reason)
      return false
    }
    return !hadWritten
  }

  /// What a row takes in the queue besides its bytes. One that the kernel takes at once takes nothing.
  private var queuedRowBytes: Int { flushesUnderWay > 0 ? GatewayLimits.queuedRowBytes : 0 }

  private func write(_ batch: LoopBatch, _ frames: Range<Int>, of group: Range<Int>) {
    var slice: ByteBuffer
    if let deflater {
      slice = batch.slice(frames, of: group, by: deflater)
      countSaved(of: batch.batch.byteRange(frames).count, written: slice.readableBytes)
    } else {
      slice = batch.slice(frames)
    }
    messages += frames.count
    awaitingFlush.append((batch, frames))
    awaitingFlushBytes += slice.readableBytes + frames.count * queuedRowBytes
    // It will wait: a copy keeps no more alive than itself.
    if flushesUnderWay > 0 { slice = ByteBuffer(bytes: slice.readableBytesView) }
    write(slice)
  }

  /// After a flush: records the rows that the kernel took.
  ///
  /// Nearly always it takes all at once. Only where it doesn't, a promise for the end of the queue is worth its cost.
  func completeFlush() {
    guard !awaitingFlush.isEmpty, let context else { return }
    if (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) == 0 {
      let bytes = awaitingFlushBytes
      for (batch, frames) in awaitingFlush { rowsFlushed(batch, frames) }
      awaitingFlush.removeAll(keepingCapacity: true)
      awaitingFlushBytes = 0
      unqueue(bytes: bytes)
      return
    }
    let isLogged = dependencies.activity.kinds.deliveries
    let rows = awaitingFlush.map { $0.batch.held($0.frames, isLogged: isLogged) }
    let bytes = awaitingFlushBytes
    awaitingFlush = []
    awaitingFlushBytes = 0
    flushesUnderWay += 1
    let promise = eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { [self] result in
      flushesUnderWay -= 1
      if case .success = result { for held in rows { rowsFlushed(held) } }
      unqueue(bytes: bytes)
    }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
  }

  /// The kernel took live rows of this many bytes, or never will. A client that is behind catches up after the last ones.
  func unqueue(bytes: Int) {
    guard machine.flushed(bytes: bytes) else { return }
    catchUp(machine.pageFlushed(limits: dependencies.limits, now: eventLoop.now))
  }

  /// Bytes that the peer has taken so far, while rows wait for it; nil where none wait.
  var taken: UInt64? {
    guard flushesUnderWay > 0, let channel = context?.channel else { return nil }
    return TakenBytes.count(of: channel)
  }

  /// The kernel took rows: they count as delivered, unless the client is to acknowledge them.
  private func rowsFlushed(_ batch: LoopBatch, _ frames: Range<Int>) {
    rowsFlushed(frames.count, doorbell: batch.batch.doorbell) { batch.recordDelivered(frames, $0) }
    if dependencies.activity.kinds.deliveries { logSent(batch.batch.frames[frames].lazy.map(\.key.row)) }
  }

  /// The same of rows that had to wait.
  private func rowsFlushed(_ held: LoopBatch.Held) {
    rowsFlushed(held.count, doorbell: held.doorbell) { held.frames.forEach($0) }
    if !held.logged.isEmpty { logSent(held.logged) }
  }

  private func rowsFlushed(
    _ count: Int, doorbell: ContinuousClock.Instant?, _ forEach: ((DeliveryBatch.Frame) -> Void) -> Void
  ) {
    guard let user = machine.user else { return }
    machine.rowsFlushed(now: eventLoop.now)
    let metrics = dependencies.metrics
    let acknowledges = machine.acknowledges
    let wall = WallClock.microseconds()
    let sinceDoorbell = doorbell.map { Self.seconds(ContinuousClock.now - $0) }
    hub.recordDelivered { delivered in
      forEach { row in
        if let sinceDoorbell { metrics.doorbellToSocket.record(sinceDoorbell) }
        if let created = row.createdAt { metrics.createdToSocket.record(Double(wall - created) / 1_000_000) }
        if !acknowledges { delivered.append(PendingMark(key: row.key, user: user)) }
      }
    }
    metrics.rowsDelivered.increment(by: count)
    takenRows += count
  }

  private static func seconds(_ duration: Duration) -> Double {
    let parts = duration.components
    return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
  }

  /// Counts the bytes that compression saved.
  func countSaved(of size: Int, written: Int) {
    if written < size { dependencies.metrics.deflateSavedBytes.increment(by: size - written) }
  }
}
