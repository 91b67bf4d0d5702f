/// Catching up: the replay and the rows held back, before a connection is live.
extension DeliverySession {
  /// The messages and rows to write for a page, in this order. When all of it was flushed, call `pageFlushed(limits:)`.
  package struct Opening: Equatable, Sendable {
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

    package init(established: Notice?, truncated: Notice?, rows: FrameSelection) {
      self.established = established
      self.truncated = truncated
      self.rows = rows
    }
  }

  /// The step after a page, or a piece of the rows held back, was flushed.
  package enum Next: Equatable, Sendable {
    case nothing
    /// Request this replay.
    case request(ReplayRequest.Wanted)
    /// Write these rows, then call `pageFlushed(limits:)`.
    case write([FrameSelection])
    /// Write these rows, then report `flushed(bytes:)`: the session is live.
    case writeAndGoLive([FrameSelection], bytes: Int)
    /// Close the connection.
    case close(CloseReason)
  }

  /// Takes a page of the replay.
  ///
  /// - Parameter generation: the number of lost connections to the database by now.
  /// - Returns: nil where no page is expected.
  package mutating func replayed(_ page: ReplayPage, generation: UInt64) -> Opening? {
    guard phase == .joining || phase == .replaying else { return nil }
    enter(.replaying)
    let rows = FrameSelection(page.batch, page.batch.frames.indices) {
      !replayedNotDurable.contains($0) && written?.contains($0) != true
    }
    if expectsFirstPage {
      // Later pages are read under the first one's snapshot, which may have been lowered since.
      expectsFirstPage = false
      replaySnapshot = page.batch.snapshot
      replayXmax = page.batch.snapshot.xmax
    }
    nextPage = page.next
    if !page.omitted.isEmpty { omitted = page.omitted }
    // Lost once or several times since: the newest transaction durable before the first loss counts.
    if page.generation < generation { _ = lower(durable: page.durable) }
    // Rows that S doesn't see (of a later page, read after S was lowered) or may be lowered below.
    let durable = min(page.durable, (replaySnapshot?.xmax ?? 1) - 1)
    replayedNotDurable.formUnion(rows.keys.lazy.filter { $0.txid > durable })
    _ = expectAcknowledgements(of: rows)

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

  /// The kernel took the page, or the piece of rows held back.
  package mutating func pageFlushed(limits: Limits) -> Next {
    switch phase {
    case .joining, .live, .closed:
      return .nothing
    case .replaying, .behind:
      if unacknowledged.count > Limits.unacknowledgedRows / 2 {
        awaitsAcknowledgements = true
        return .nothing
      }
      if let page = nextPage { return .request(.page(of: page)) }
      let known = phase == .behind ? written?.base : catchUpBuffer.overflowed ? replaySnapshot : nil
      if let known {
        // Hold back again first, and only then read: join first, then replay.
        catchUpBuffer = CatchUpBuffer()
        expectsFirstPage = true
        enter(.replaying)
        return .request(.after(known))
      }
      enter(.flushingCatchUp)
      return flushCatchUp(limits: limits)
    case .flushingCatchUp:
      return flushCatchUp(limits: limits)
    }
  }

  /// The client acknowledges rows.
  ///
  /// - Returns: the rows among them that were sent on this connection, once each, and the next step.
  package mutating func acknowledged(
    _ rows: [RowName], by user: UserID, limits: Limits
  ) -> (marks: [PendingMark], next: Next) {
    let marks = rows.compactMap { row in
      unacknowledged.removeValue(forKey: row).map { PendingMark(key: RowKey(txid: $0, row: row), user: user) }
    }
    guard awaitsAcknowledgements, unacknowledged.count <= Limits.unacknowledgedRows / 2 else {
      return (marks, .nothing)
    }
    awaitsAcknowledgements = false
    return (marks, pageFlushed(limits: limits))
  }

  /// Takes the next piece of the rows held back, without those that were replayed.
  private mutating func flushCatchUp(limits: Limits) -> Next {
    while true {
      var selections: [FrameSelection] = []
      for selection in catchUpBuffer.pop(bytes: Int(Limits.replayPageBytes)) {
        let unknown = FrameSelection(selection) { !replayCovers($0) }
        if unknown.isEmpty { continue }
        guard expectAcknowledgements(of: unknown) else {
          close()
          return .close(.tooSlow)
        }
        selections.append(unknown)
      }
      if catchUpBuffer.isEmpty {
        catchUpBuffer = CatchUpBuffer()
        written = nil
        enter(.live)
        let bytes = selections.reduce(0) { $0 + $1.bytes }
        _ = enqueue(bytes, limits: limits)  // the queue is empty: a session that is not live has written nothing to it
        return .writeAndGoLive(selections, bytes: bytes)
      }
      // A piece that was replayed already needs no turn through the socket.
      if !selections.isEmpty { return .write(selections) }
    }
  }
}
