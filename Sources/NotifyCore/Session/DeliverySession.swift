/// The rows that one connection has got: decides for each row whether it is held back, left out or written.
///
/// The life of a session: it *joins* its user's group and asks for a replay, *replays* page by page while rows routed to it
/// are held back, *flushes* the rows held back, and is *live*. The replay's snapshot S divides: a routed row that S sees was
/// replayed, or was sent before this device came, and is left out, also after going live. `Documentation/architecture.md`,
/// "Order and loss", has the rules. Where one is left out, rows are lost, doubled or mixed up.
///
/// A live client that takes less than comes *falls behind*: rows are left out from where its queue is full. Once the kernel
/// has taken the queue, the session replays what it left out, and is live again.
///
/// A value without clock or I/O: each method is one input and returns the caller's next action.
package struct DeliverySession: Sendable {
  /// The step of its life that a session is in.
  package enum Phase: Equatable, Sendable, CaseIterable {
    /// In its group, the first page of the replay requested.
    case joining
    /// Pages are written or requested.
    case replaying
    /// The replay is written; the rows held back are being written.
    case flushingCatchUp
    /// Rows go out as they come.
    case live
    /// The queue is full: rows are left out until the kernel has taken what was written.
    case behind
    /// Nothing goes out any more.
    case closed
  }

  /// The action for routed rows.
  package enum Routing: Equatable, Sendable {
    /// Nothing: they are held back or left out.
    case nothing
    /// Write all of them, as one piece; then report `flushed(bytes:)`.
    case writeAll
    /// Write these runs of frames; then report `flushed(bytes:)`.
    case write([Range<Int>])
    /// Close the connection.
    case close(CloseReason)
  }

  package private(set) var phase: Phase = .joining
  /// A row counts as delivered by the client's `ack`, not by the flush.
  package let acknowledges: Bool

  /// The replay's snapshot S, until deltas have passed it.
  var replaySnapshot: Snapshot?
  /// S's xmax before it was lowered: a delta that starts at or above it holds nothing that the replay saw.
  var replayXmax: UInt64 = 0
  /// Rows that were replayed and not known to be on disk then: a crash may lower S below them.
  var replayedNotDurable: Set<RowKey> = []
  /// The replay's next page, until it comes.
  var nextPage: ReplayPage.Position?
  /// The rows that were written before the client fell behind; nil where it is not behind.
  var written: WrittenRows?
  var wasEstablished = false
  /// The next page to come is the first of its replay: its snapshot divides.
  var expectsFirstPage = true
  /// A page was flushed, but its client is to acknowledge some rows before more come.
  var awaitsAcknowledgements = false
  var catchUpBuffer = CatchUpBuffer()
  var unacknowledged: [RowName: UInt64] = [:]
  /// Bytes of live rows that were written and that the kernel has not taken yet.
  package private(set) var queuedBytes = 0

  /// Makes the session of a connection that has just joined its group; request its replay now.
  package init(acknowledges: Bool) {
    self.acknowledges = acknowledges
  }

  /// Tables whose rows are not in the replay, because they could not be read.
  var omitted: [Int32] = []

  /// Whether the newest cursor vouches for this connection: every row before it was written.
  package var takesCursor: Bool { phase == .live && omitted.isEmpty }

  /// Whether the replay lacks rows of tables that can be read again, so that the client has to connect again.
  ///
  /// A replay that has not come yet may be without their rows too.
  package func lacks(_ tables: [Int32]) -> Bool {
    expectsFirstPage || !omitted.allSatisfy { !tables.contains($0) }
  }

  // MARK: Rows as they come

  /// Routes rows of a delta for this user.
  package mutating func route(_ batch: DeliveryBatch, _ frames: Range<Int>, limits: Limits) -> Routing {
    route(batch, frames, limits: limits) { batch.byteRange($0).count }
  }

  /// Routes rows of a delta for this user.
  ///
  /// - Parameter size: the bytes of a run of frames on this connection, where they may be compressed.
  package mutating func route(
    _ batch: DeliveryBatch, _ frames: Range<Int>, limits: Limits, size: (Range<Int>) -> Int
  ) -> Routing {
    switch phase {
    case .behind, .closed:
      return .nothing
    case .joining, .replaying:
      if !holdBack(FrameSelection(batch, frames), limits: limits) { catchUpBuffer.overflow() }
      return .nothing
    case .flushingCatchUp:
      let rows = FrameSelection(batch, frames)
      return holdBack(rows, limits: limits) ? .nothing : fallBehind(at: catchUpBuffer.first ?? rows)
    case .live:
      return routeLive(batch, frames, limits: limits, size: size)
    }
  }

  private mutating func routeLive(
    _ batch: DeliveryBatch, _ frames: Range<Int>, limits: Limits, size: (Range<Int>) -> Int
  ) -> Routing {
    if replaySnapshot != nil, batch.base.xmin >= replayXmax {
      // Nothing that the replay saw can be in this delta or a later one.
      replaySnapshot = nil
      replayedNotDurable = []
    }
    if replaySnapshot == nil, !acknowledges {
      return enqueue(size(frames), limits: limits) ? .writeAll : fallBehind(at: FrameSelection(batch, frames))
    }
    let selection = FrameSelection(batch, frames) { !replayCovers($0) }
    if selection.isEmpty { return .nothing }
    let bytes = selection.runs.reduce(0) { $0 + size($1) }
    guard enqueue(bytes, limits: limits) else { return fallBehind(at: selection) }
    guard expectAcknowledgements(of: selection) else { return close(.tooSlow) }
    return .write(selection.runs)
  }

  /// The kernel took live rows of this many bytes, or the socket has ended and never will.
  ///
  /// - Returns: whether these were the last that a client which is behind had to take: call `pageFlushed(limits:)`.
  package mutating func flushed(bytes: Int) -> Bool {
    queuedBytes -= bytes
    precondition(queuedBytes >= 0, "more bytes were flushed than were queued")
    return phase == .behind && queuedBytes == 0
  }

  /// The connection to the database was lost: neither S nor the next page claims anything above the newest durable
  /// transaction.
  ///
  /// - Returns: whether the session can go on. Where it can't, close the connection: its client is behind, and it is not
  ///   known which rows above that transaction were written; or the rest of its replay would be read under a snapshot in
  ///   which ids that are given again mean other rows.
  package mutating func lower(durable: UInt64) -> Bool {
    if written != nil || nextPage?.isVoid(durable: durable) == true { return false }
    replaySnapshot = replaySnapshot?.lowered(to: durable + 1)
    nextPage = nextPage?.lowered(durable: durable)
    catchUpBuffer.outdate()
    // `replayedNotDurable` stays whole: S may have been lowered further before.
    return true
  }

  /// The connection is closing: nothing more is to be written.
  package mutating func close() {
    phase = .closed
    catchUpBuffer = CatchUpBuffer()
    replayedNotDurable = []
    written = nil
    nextPage = nil
  }

  // MARK: Shared with the replay

  /// Whether a routed row was replayed, or was sent before this device came.
  func replayCovers(_ key: RowKey) -> Bool {
    (replaySnapshot?.sees(key.txid) ?? false) || replayedNotDurable.contains(key)
  }

  /// Remembers rows that the client is to acknowledge; false where it has too many of them.
  mutating func expectAcknowledgements(of selection: FrameSelection) -> Bool {
    guard acknowledges else { return true }
    for key in selection.keys { unacknowledged[key.row] = key.txid }
    return unacknowledged.count <= Limits.unacknowledgedRows
  }

  mutating func enter(_ phase: Phase) { self.phase = phase }

  /// Holds rows back; false where they are too many. A client that was slow before keeps no more than its queue.
  private mutating func holdBack(_ rows: FrameSelection, limits: Limits) -> Bool {
    if catchUpBuffer.overflowed { return true }
    let bytes = written == nil ? Limits.catchUpBytes : min(limits.queueBytes, Limits.catchUpBytes)
    return catchUpBuffer.append(rows, limit: limits.catchUpRows, bytes: bytes)
  }

  /// Leaves rows out, and all that follow. What came before them was written or is in the queue, what follows was not.
  ///
  /// Where the rows of their delta are not all that its snapshots tell, it can't be said later which those are.
  private mutating func fallBehind(at rows: FrameSelection) -> Routing {
    guard rows.batch.isExact, !catchUpBuffer.isOutdated, let first = rows.runs.first?.first else {
      return close(.tooSlow)
    }
    written = WrittenRows(before: rows.batch.frames[first].key, of: rows.batch, replayed: replaySnapshot)
    catchUpBuffer = CatchUpBuffer()
    enter(.behind)
    return .nothing
  }

  /// Counts live rows to the queue behind the bytes that it has; false where that is too much.
  mutating func enqueue(_ bytes: Int, limits: Limits) -> Bool {
    guard queuedBytes == 0 || queuedBytes + bytes <= limits.queueBytes else { return false }
    queuedBytes += bytes
    return true
  }

  private mutating func close(_ reason: CloseReason) -> Routing {
    close()
    return .close(reason)
  }
}
