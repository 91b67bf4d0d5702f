/// Catching up: what a connection is sent before it is live.
extension DeliverySession {
  /// What to do with a page, in this order; then, when all of it was written, call `pageWritten(limits:)`.
  package struct Opening: Sendable {
    /// A message that may carry a cursor.
    package enum Notice: Equatable, Sendable {
      case with(cursor: String?)
    }

    /// Write `connection_established`.
    package let established: Notice?
    /// Write `replay_truncated`.
    package let truncated: Notice?
    /// Write these rows. They do not count as queued: a replay is paced by the socket.
    package let rows: FrameSelection
  }

  /// What follows when a page, or a piece of what was held back, was written.
  package enum Next: Sendable {
    case nothing
    /// Ask for this replay.
    case ask(ReplayRequest.Wanted)
    /// Write these rows, then call `pageWritten(limits:)`.
    case write([FrameSelection])
    /// Write these rows, then report `written(bytes:)`: the session is live.
    case writeAndGoLive([FrameSelection], bytes: Int)
    /// Close the connection.
    case close(CloseReason)
  }

  /// A page of the replay has come.
  ///
  /// - Parameter generation: the number of lost connections to the database by now.
  package mutating func replayed(_ page: ReplayPage, generation: UInt64) -> Opening? {
    guard phase == .joining || phase == .replaying else { return nil }
    enter(.replaying)
    let rows = FrameSelection(page.batch, page.batch.frames.indices) { !replayedAbove.contains($0) }
    if expectsFirstPage {
      // Later pages are read under the first one's snapshot, which may have been lowered since.
      expectsFirstPage = false
      dividing = page.batch.snapshot
      settlesAt = page.batch.snapshot.xmax
    }
    nextPage = page.next
    // Lost once or several times since: what was durable before the first loss is what counts.
    if page.generation < generation { lower(durable: page.durable) }
    // What S doesn't see (a later page, read after S was lowered) or may be lowered below.
    let durable = min(page.durable, (dividing?.xmax ?? 1) - 1)
    replayedAbove.formUnion(rows.keys.lazy.filter { $0.txid > durable })
    _ = note(rows)

    // A cursor stands in the last message of the replay, whichever that is: only then it vouches for all before it.
    let carriesCursor = rows.isEmpty && page.next == nil
    let cursor = carriesCursor ? page.batch.cursor : nil
    let opening = Opening(
      established: wasEstablished ? nil : .with(cursor: page.truncated ? nil : cursor),
      truncated: page.truncated ? .with(cursor: cursor) : nil,
      rows: rows)
    wasEstablished = true
    return opening
  }

  /// The page, or the piece of held-back rows, was taken by the kernel.
  package mutating func pageWritten(limits: Limits) -> Next {
    switch phase {
    case .joining, .live, .closed:
      return .nothing
    case .replaying:
      if unacknowledged.count > Limits.unacknowledgedRows / 2 {
        awaitsAcknowledgements = true
        return .nothing
      }
      if let page = nextPage {
        nextPage = nil
        return .ask(.page(of: page))
      }
      if held.overflowed, let snapshot = dividing {
        // Hold back again from here on, and only then look: join first, then replay.
        held = CatchUpBuffer()
        expectsFirstPage = true
        return .ask(.after(snapshot))
      }
      enter(.draining)
      return drain(limits: limits)
    case .draining:
      return drain(limits: limits)
    }
  }

  /// The client acknowledges rows.
  ///
  /// - Returns: the keys of those that were sent on this connection, and what follows.
  package mutating func acknowledged(_ rows: [RowName], limits: Limits) -> (keys: [RowKey], next: Next) {
    let keys = rows.compactMap { row in unacknowledged.removeValue(forKey: row).map { RowKey(txid: $0, row: row) } }
    guard awaitsAcknowledgements, unacknowledged.count <= Limits.unacknowledgedRows / 2 else { return (keys, .nothing) }
    awaitsAcknowledgements = false
    return (keys, pageWritten(limits: limits))
  }

  private mutating func drain(limits: Limits) -> Next {
    var selections: [FrameSelection] = []
    for selection in held.pop(bytes: Int(Limits.replayPageBytes)) {
      let unknown = FrameSelection(selection) { !knows($0) }
      if unknown.isEmpty { continue }
      guard note(unknown) else {
        close()
        return .close(.tooSlow)
      }
      selections.append(unknown)
    }
    guard held.isEmpty else { return .write(selections) }
    enter(.live)
    let bytes = selections.reduce(0) { $0 + $1.bytes }
    _ = enqueue(bytes, limits: limits)  // the queue is empty: a session that is not live has written nothing to it
    return .writeAndGoLive(selections, bytes: bytes)
  }
}
