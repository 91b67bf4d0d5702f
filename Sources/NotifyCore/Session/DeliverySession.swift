/// What one connection has been told: decides for every row whether it is held back, left out or written.
///
/// The life of a session: it *joins* its user's group and asks for a replay, *replays* page by page while rows routed to it
/// are held back, *drains* what was held back, and is *live*. The replay's snapshot divides: a routed row that it sees was
/// replayed, or was sent before this device came, and is left out, also after going live. `architecture.md`, "Order and
/// loss", has the rules; where one is left out, rows are lost, doubled or mixed up.
///
/// A value without clock or I/O: each method is one input and returns what the caller is to do.
package struct DeliverySession: Sendable {
  /// Where the session stands.
  package enum Phase: Equatable, Sendable, CaseIterable {
    /// In its group, the first page of the replay asked for.
    case joining
    /// Pages are written or asked for.
    case replaying
    /// The replay is written; what was held back is being written.
    case draining
    /// Rows go out as they come.
    case live
    /// Nothing goes out any more.
    case closed
  }

  /// What to do with routed rows.
  package enum Routing: Equatable, Sendable {
    /// Nothing: they are held back or left out.
    case nothing
    /// Write all of them, as one piece; then report `written(bytes:)`.
    case writeAll
    /// Write these runs of frames; then report `written(bytes:)`.
    case write([Range<Int>])
    /// Close the connection.
    case close(CloseReason)
  }

  package private(set) var phase: Phase = .joining
  /// Rows are confirmed by the client's `ack`, not by the write.
  package let acknowledges: Bool

  /// The replay's snapshot (S), until deltas have passed it.
  var dividing: Snapshot?
  /// S's xmax before it was lowered: from there on no delta holds what the replay saw.
  var settlesAt: UInt64 = 0
  /// Rows that were replayed and not known to be on disk then: a crash may lower S below them.
  var replayedAbove: Set<RowKey> = []
  /// The replay's next page, while this one is being written.
  var nextPage: ReplayPage.Position?
  var wasEstablished = false
  /// The next page to come is the first of its replay: its snapshot divides.
  var expectsFirstPage = true
  /// A page was written, but its client is to acknowledge some rows before more come.
  var awaitsAcknowledgements = false
  var held = CatchUpBuffer()
  var unacknowledged: [RowName: UInt64] = [:]
  private var pendingBytes = 0

  /// Makes the session of a connection that has just joined its group; ask for its replay now.
  package init(acknowledges: Bool) {
    self.acknowledges = acknowledges
  }

  /// Whether the newest cursor vouches for this connection: every row before it was written.
  package var takesCursor: Bool { phase == .live }

  /// Bytes of live rows in the socket's queue that the kernel has not taken yet.
  package var queuedBytes: Int { pendingBytes }

  // MARK: Rows as they come

  /// Rows of a delta for this user.
  package mutating func route(_ batch: DeliveryBatch, _ frames: Range<Int>, limits: Limits) -> Routing {
    route(batch, frames, limits: limits) { batch.byteRange($0).count }
  }

  /// Rows of a delta for this user.
  ///
  /// - Parameter size: tells how many bytes a run of frames has on this connection, where they may be compressed.
  package mutating func route(
    _ batch: DeliveryBatch, _ frames: Range<Int>, limits: Limits, size: (Range<Int>) -> Int
  ) -> Routing {
    switch phase {
    case .closed:
      return .nothing
    case .joining, .replaying:
      held.append(FrameSelection(batch, frames), limit: limits.catchUpRows)
      return .nothing
    case .draining:
      held.append(FrameSelection(batch, frames), limit: limits.catchUpRows)
      return held.overflowed ? close(.tooSlow) : .nothing
    case .live:
      return routeLive(batch, frames, limits: limits, size: size)
    }
  }

  private mutating func routeLive(
    _ batch: DeliveryBatch, _ frames: Range<Int>, limits: Limits, size: (Range<Int>) -> Int
  ) -> Routing {
    if dividing != nil, batch.base.xmin >= settlesAt {
      // Nothing that the replay saw can be in this delta or a later one.
      dividing = nil
      replayedAbove = []
    }
    if dividing == nil, !acknowledges {
      return enqueue(size(frames), limits: limits) ? .writeAll : close(.tooSlow)
    }
    let selection = FrameSelection(batch, frames) { !knows($0) }
    if selection.isEmpty { return .nothing }
    let bytes = selection.runs.reduce(0) { $0 + size($1) }
    guard enqueue(bytes, limits: limits), note(selection) else { return close(.tooSlow) }
    return .write(selection.runs)
  }

  /// Live rows of this many bytes were taken by the kernel.
  package mutating func written(bytes: Int) {
    pendingBytes -= bytes
    precondition(pendingBytes >= 0, "more bytes were reported written than were queued")
  }

  /// The connection to the database was lost: neither S nor where the replay goes on claims anything above the newest
  /// durable transaction.
  package mutating func lower(durable: UInt64) {
    dividing = dividing?.lowered(to: durable + 1)
    nextPage = nextPage?.lowered(durable: durable)
    // `replayedAbove` stays whole: S may have been lowered further before.
  }

  /// The connection is closing: nothing more is to be written.
  package mutating func close() {
    phase = .closed
    held = CatchUpBuffer()
    replayedAbove = []
  }

  // MARK: Shared with the replay

  /// Whether a routed row was replayed, or was sent before this device came.
  func knows(_ key: RowKey) -> Bool {
    (dividing?.sees(key.txid) ?? false) || replayedAbove.contains(key)
  }

  /// Remembers rows that the client is to acknowledge; false where it has too many of them.
  mutating func note(_ selection: FrameSelection) -> Bool {
    guard acknowledges else { return true }
    for key in selection.keys { unacknowledged[key.row] = key.txid }
    return unacknowledged.count <= Limits.unacknowledgedRows
  }

  mutating func enter(_ phase: Phase) { self.phase = phase }

  /// Counts rows that go live to the queue behind what is there; false where that is too much.
  mutating func enqueue(_ bytes: Int, limits: Limits) -> Bool {
    guard pendingBytes == 0 || pendingBytes + bytes <= limits.queueBytes else { return false }
    pendingBytes += bytes
    return true
  }

  private mutating func close(_ reason: CloseReason) -> Routing {
    close()
    return .close(reason)
  }
}
