import DequeModule

/// Decides which rows of a delta are new, from what has been routed.
///
/// Rows visible now and not in the previous snapshot are those with `txid >= xmax` or `txid` in `xip`. That set is exact
/// (`Documentation/database.md`, "The snapshot delta"); a delta that was cut and a crash of the database make rows come
/// again ("Crashes and failover"). A value without I/O.
package struct DeltaReader: Sendable, Equatable {
  /// A delta that was cut: its rows up to `last` were routed.
  struct Cut: Sendable, Equatable {
    var snapshot: Snapshot
    var last: RowKey
  }

  /// The snapshot of the last delta that was routed whole.
  package private(set) var previous: Snapshot
  private var current: Snapshot?
  /// The last row of the delta under way that was routed.
  package private(set) var lastRouted: RowKey?
  private var cuts: [Cut] = []
  /// Routed rows whose transactions are not known to be on disk.
  private var recent: Deque<RowKey> = []
  /// Those of them that a lost connection has put above `previous`, so that they may come again.
  private var suspects: Set<RowKey> = []

  /// - Parameter start: rows visible in it are not routed; unsent ones come by replay.
  package init(start: Snapshot) {
    previous = start
  }

  /// How many rows are remembered because their transactions are not known to be on disk.
  package var remembered: Int { recent.count }

  /// The delta's statement has begun, under this snapshot.
  package mutating func begin(_ snapshot: Snapshot) {
    current = snapshot
    lastRouted = nil
  }

  /// Whether every row of the delta is new.
  package var acceptsAll: Bool { cuts.isEmpty && suspects.isEmpty }

  /// Whether a row of the delta is new.
  package func accepts(_ key: RowKey) -> Bool {
    if !suspects.isEmpty, suspects.contains(key) { return false }
    return !cuts.contains { $0.snapshot.sees(key.txid) && key <= $0.last }
  }

  /// Rows were routed.
  ///
  /// - Parameters:
  ///   - keys: in the order of the delta.
  ///   - durable: the newest transaction known to be on disk.
  package mutating func routed(_ keys: [RowKey], durable: UInt64) {
    lastRouted = keys.last ?? lastRouted
    for key in keys where key.txid > durable { recent.append(key) }
  }

  /// Rows up to this one need no routing: nobody is connected who would get them.
  package mutating func passed(_ key: RowKey) { lastRouted = max(lastRouted ?? key, key) }

  /// The delta's statement failed: the rows that were routed do not come again.
  package mutating func interrupted() {
    if let snapshot = current, let last = lastRouted {
      // A later cut sees more: it stands for an earlier one that did not get as far.
      cuts.removeAll { $0.last <= last }
      cuts.append(Cut(snapshot: snapshot, last: last))
    }
    current = nil
    lastRouted = nil
  }

  /// The delta was read to its end.
  package mutating func finish() {
    guard let snapshot = current else { return }
    previous = snapshot
    current = nil
    lastRouted = nil
    cuts = []
    suspects = []
  }

  /// Another reader has read rows, which this one has to know again after a crash.
  package mutating func absorb(_ other: DeltaReader) { recent += other.recent }

  /// A transaction is known to be on disk, and with it all before it in the log.
  package mutating func forget(upTo durable: UInt64) {
    // Later deltas may hold older transactions; those are forgotten once they come to the front.
    while let first = recent.first, first.txid <= durable { recent.removeFirst() }
  }

  /// The connection was lost, maybe by a crash, which hands ids above `durable` out again.
  package mutating func connectionLost(durable: UInt64) {
    interrupted()
    previous = previous.lowered(to: durable + 1)
    for index in cuts.indices { cuts[index].snapshot = cuts[index].snapshot.lowered(to: durable + 1) }
    // Earlier suspects stay: `previous` is still below them, however far `durable` has come since. So do the recent ones,
    // which a further crash may bring back once more.
    suspects.formUnion(recent.lazy.filter { $0.txid > durable })
  }
}
