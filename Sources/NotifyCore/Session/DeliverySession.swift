/// The rows that one connection has got: decides for each row whether it is held back, left out or written.
///
/// The life of a session: it *joins* its user's group and asks for a replay, *replays* page by page while rows routed to it
/// are held back, *flushes* the rows held back, and is *live*. The replay's snapshot S divides: a routed row that S sees was
/// replayed, or was sent before this device came, and is left out, also after going live. `Documentation/architecture.md`,
/// "Order and loss", has the rules. Where one is left out, rows are lost, doubled or mixed up.
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
  /// The replay's next page, while this one is being written.
  var nextPage: ReplayPage.Position?
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
    phase == .joining || !omitted.allSatisfy { !tables.contains($0) }
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
    case .closed:
      return .nothing
    case .joining, .replaying:
      catchUpBuffer.append(FrameSelection(batch, frames), limit: limits.catchUpRows)
      return .nothing
    case .flushingCatchUp:
      catchUpBuffer.append(FrameSelection(batch, frames), limit: limits.catchUpRows)
      return catchUpBuffer.overflowed ? close(.tooSlow) : .nothing
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
      return enqueue(size(frames), limits: limits) ? .writeAll : close(.tooSlow)
    }
    let selection = FrameSelection(batch, frames) { !replayCovers($0) }
    if selection.isEmpty { return .nothing }
    let bytes = selection.runs.reduce(0) { $0 + size($1) }
    guard enqueue(bytes, limits: limits), expectAcknowledgements(of: selection) else { return close(.tooSlow) }
    return .write(selection.runs)
  }

  /// The kernel took live rows of this many bytes, or the socket has ended and never will.
  package mutating func flushed(bytes: Int) {
    queuedBytes -= bytes
    precondition(queuedBytes >= 0, "more bytes were flushed than were queued")
  }

  /// The connection to the database was lost: neither S nor the next page claims anything above the newest durable
  /// transaction.
  package mutating func lower(durable: UInt64) {
    replaySnapshot = replaySnapshot?.lowered(to: durable + 1)
    nextPage = nextPage?.lowered(durable: durable)
    // `replayedNotDurable` stays whole: S may have been lowered further before.
  }

  /// The connection is closing: nothing more is to be written.
  package mutating func close() {
    phase = .closed
    catchUpBuffer = CatchUpBuffer()
    replayedNotDurable = []
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
