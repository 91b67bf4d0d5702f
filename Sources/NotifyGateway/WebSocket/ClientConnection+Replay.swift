import Metrics
import NIOCore
import NotifyCore

/// Catching up: request → page → flush → next page or piece.
extension ClientConnection {
  /// Requests a page of the replay.
  func requestReplay(_ wanted: ReplayRequest.Wanted) {
    guard let user = machine.user else { return }
    let cancellation = ReplayCancellation()
    pendingReplay = cancellation
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let request = ReplayRequest(
      user: user, wanted: wanted, cancellation: cancellation, generation: hub.generation)
    dependencies.replays.replay(request) { page in
      bound.eventLoop.execute {
        if !cancellation.isCancelled { bound.value.replayed(page) }
      }
    }
  }

  private func replayed(_ page: ReplayPage) {
    pendingReplay = nil
    perform(machine.replayed(page, epoch: hub.epoch, generation: hub.generation, now: eventLoop.now))
    flush()
  }

  /// Writes a page and the messages before it as one piece: with a reconnect of thousands, each write counts.
  func writePage(_ opening: DeliverySession.Opening, epoch: Epoch) {
    guard let user = machine.user else { return }
    var head: [UInt8] = []
    if case .with(let cursor) = opening.established {
      let message = ServerMessage.connectionEstablished(
        user: user, isNumber: dependencies.status.catalog.hasIntegerRecipients,
        timestamp: WallClock.microseconds(), epoch: epoch, cursor: cursor)
      head += FrameEncoder.text(message.json)
      messages += 1
    }
    if case .with(let cursor) = opening.truncated {
      let message = ServerMessage.replayTruncated(limit: dependencies.limits.replayRows, cursor: cursor)
      head += FrameEncoder.text(message.json)
      messages += 1
    }
    writePage([opening.rows], after: head, counter: dependencies.metrics.rowsReplayed)
  }

  private func writePage(_ selections: [FrameSelection], after head: [UInt8] = [], counter: Counter) {
    write(piece(selections, after: head), of: selections, counter: counter) { connection, isFlushed in
      guard isFlushed else { return }
      connection.catchUp(
        connection.machine.pageFlushed(limits: connection.dependencies.limits, now: connection.eventLoop.now))
    }
  }

  /// Performs the session's next step of catching up.
  func catchUp(_ next: DeliverySession.Next) {
    switch next {
    case .nothing:
      break
    case .request(let wanted):
      requestReplay(wanted)
    case .close(let reason):
      writeClose(reason)
    case .write(let selections):
      writePage(selections, counter: dependencies.metrics.rowsDelivered)
      flush()
    case .writeAndGoLive(let selections, let bytes):
      guard !selections.isEmpty else { return unqueue(bytes: bytes) }
      let piece = piece(selections)
      let written = piece.readableBytes
      // Compressed rows queue fewer bytes than were counted.
      unqueue(bytes: bytes - written)
      write(piece, of: selections, counter: dependencies.metrics.rowsDelivered) { connection, _ in
        connection.unqueue(bytes: written)
      }
      flush()
    }
  }

  /// The bytes of rows. Copied: the batch of a row that was held back may be far larger than the part that is written.
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

  /// Writes rows and records them as delivered when the kernel has taken them.
  private func write(
    _ piece: ByteBuffer, of selections: [FrameSelection], counter: Counter,
    then next: @escaping (ClientConnection, _ isFlushed: Bool) -> Void
  ) {
    let rows = selections.reduce(0) { $0 + $1.rows }
    messages += rows
    // The rows' keys alone are kept until then: their bytes are in `piece`.
    var marks: [PendingMark] = []
    let acknowledges = machine.acknowledges
    let isLogged = dependencies.activity.kinds.deliveries
    if let user = machine.user, !acknowledges || isLogged {
      marks.reserveCapacity(rows)
      for selection in selections { selection.appendMarks(of: user, to: &marks) }
    }
    flushesUnderWay += 1
    let promise = eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { [self, rows, marks] result in
      flushesUnderWay -= 1
      guard case .success = result else { return next(self, false) }
      machine.rowsFlushed(now: eventLoop.now)
      counter.increment(by: rows)
      takenRows += rows
      if isLogged { logSent(marks.lazy.map(\.key.row)) }
      if !marks.isEmpty, !acknowledges { hub.recordDelivered { $0 += marks } }
      next(self, true)
    }
    // A page without rows writes nothing, but its next step comes in its turn.
    write(piece, promise: promise)
  }
}
