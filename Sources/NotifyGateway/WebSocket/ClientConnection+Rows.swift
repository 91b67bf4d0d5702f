import Metrics
import NIOCore
import NotifyCore

/// Rows on their way to the socket.
extension ClientConnection {
  // MARK: As they come

  /// Routes a user's rows of a batch.
  ///
  /// - Returns: whether something was written for the first time since the last `flushRows`.
  func route(_ work: LoopBatch, _ frames: Range<Int>) -> Bool {
    let limits = services.limits
    let routing =
      if let deflater {
        session?.route(work.batch, frames, limits: limits) { work.slice($0, of: frames, by: deflater).readableBytes }
      } else {
        session?.route(work.batch, frames, limits: limits)
      }
    guard let routing else { return false }
    let wasTouched = needsFlush
    switch routing {
    case .nothing:
      return false
    case .writeAll:
      writeLive(work, frames, of: frames)
    case .write(let runs):
      for run in runs { writeLive(work, run, of: frames) }
    case .close(let reason):
      close(reason)
      return false
    }
    return !wasTouched
  }

  /// Sends what `route` wrote.
  func flushRows() { flushIfNeeded() }

  private func writeLive(_ work: LoopBatch, _ frames: Range<Int>, of group: Range<Int>) {
    let slice: ByteBuffer
    if let deflater {
      slice = work.slice(frames, of: group, by: deflater)
      countSaved(of: work.batch.byteRange(frames).count, written: slice.readableBytes)
    } else {
      slice = work.slice(frames)
    }
    messages += frames.count
    unsettled.append((work, frames))
    unsettledBytes += slice.readableBytes
    write(slice)
  }

  /// After a flush: the rows that the kernel took.
  ///
  /// Nearly always it takes all at once. Only where it doesn't, a promise for the end of the queue is worth its cost.
  func settleRows() {
    guard !unsettled.isEmpty, let context else { return }
    if (try? context.channel.syncOptions?.getOption(.bufferedWritableBytes)) == 0 {
      session?.written(bytes: unsettledBytes)
      for (work, frames) in unsettled { liveWritten(work, frames) }
      unsettled.removeAll(keepingCapacity: true)
      unsettledBytes = 0
      return
    }
    let (rows, bytes) = (unsettled, unsettledBytes)
    unsettled = []
    unsettledBytes = 0
    let promise = eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { [self] result in
      session?.written(bytes: bytes)
      if case .success = result { for (work, frames) in rows { liveWritten(work, frames) } }
    }
    context.writeAndFlush(wrapOutboundOut(ByteBuffer()), promise: promise)
  }

  /// The kernel took rows: they count as sent, unless the client is to acknowledge them.
  private func liveWritten(_ work: LoopBatch, _ frames: Range<Int>) {
    guard let user else { return }
    lastHeard = eventLoop.now
    let metrics = services.metrics
    let wall = WallClock.microseconds()
    let sinceDoorbell = work.batch.doorbell.map { Self.seconds(ContinuousClock.now - $0) }
    hub.confirm { written in
      work.report(frames) { row in
        if let sinceDoorbell { metrics.doorbellToSocket.record(sinceDoorbell) }
        if let created = row.createdAt { metrics.createdToSocket.record(Double(wall - created) / 1_000_000) }
        if !acknowledges { written.append(PendingMark(key: row.key, user: user)) }
      }
    }
    metrics.rowsDelivered.increment(by: frames.count)
  }

  private static func seconds(_ duration: Duration) -> Double {
    let parts = duration.components
    return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
  }

  // MARK: Catching up

  /// Writes a page of the replay, or a piece of what was held back; then tells the session.
  ///
  /// - Parameter head: frames that go before it.
  func writePage(_ selections: [FrameSelection], after head: [UInt8] = [], counter: Counter) {
    write(piece(selections, after: head), of: selections, counter: counter) { connection, isWritten in
      guard isWritten else { return }
      if let next = connection.session?.pageWritten(limits: connection.services.limits) { connection.perform(next) }
    }
  }

  /// Does what the session says after a page.
  func perform(_ first: DeliverySession.Next) {
    var next = first
    while true {
      switch next {
      case .nothing:
        return
      case .ask(let wanted):
        ask(wanted)
        return
      case .close(let reason):
        close(reason)
        return
      case .write(let selections):
        if !selections.isEmpty {
          writePage(selections, counter: services.metrics.rowsDelivered)
          flushIfNeeded()
          return
        }
        // All of this piece was replayed already: on to the next, without a turn through the socket.
        guard let following = session?.pageWritten(limits: services.limits) else { return }
        next = following
      case .writeAndGoLive(let selections, let bytes):
        guard !selections.isEmpty else {
          session?.written(bytes: bytes)
          return
        }
        let piece = piece(selections)
        // What is compressed waits as less than was counted.
        session?.written(bytes: bytes - piece.readableBytes)
        write(piece, of: selections, counter: services.metrics.rowsDelivered) { connection, _ in
          connection.session?.written(bytes: piece.readableBytes)
        }
        flushIfNeeded()
        return
      }
    }
  }

  /// The bytes of rows. Copied: the batch that a held-back row came in may be far larger than what is wanted of it.
  private func piece(_ selections: [FrameSelection], after head: [UInt8] = []) -> ByteBuffer {
    let size = selections.reduce(head.count) { $0 + $1.bytes }
    var bytes = ByteBuffer()
    bytes.reserveCapacity(size)
    bytes.writeBytes(head)
    for selection in selections {
      let batch = selection.batch
      guard let deflater else {
        for run in selection.runs { bytes.writeBytes(batch.bytes[batch.byteRange(run)]) }
        continue
      }
      for frame in selection.runs.joined() { deflater.append(batch, frame, to: &bytes) }
    }
    countSaved(of: size, written: bytes.readableBytes)
    return bytes
  }

  private func countSaved(of size: Int, written: Int) {
    if written < size { services.metrics.deflateSavedBytes.increment(by: size - written) }
  }

  private func write(
    _ piece: ByteBuffer, of selections: [FrameSelection], counter: Counter,
    then next: @escaping (ClientConnection, _ isWritten: Bool) -> Void
  ) {
    let rows = selections.reduce(0) { $0 + $1.rows }
    messages += rows
    let promise = eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { [self, rows] result in
      guard case .success = result else { return next(self, false) }
      lastHeard = eventLoop.now
      counter.increment(by: rows)
      if let user, !acknowledges {
        hub.confirm { written in
          for selection in selections { written += selection.keys.map { PendingMark(key: $0, user: user) } }
        }
      }
      next(self, true)
    }
    // A page without rows is nothing to write, but what follows it is still to be done in its turn.
    write(piece, promise: promise)
  }

  /// The connection to the database was lost.
  func lower(durable: UInt64) { session?.lower(durable: durable) }
}
