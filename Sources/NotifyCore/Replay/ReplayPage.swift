/// A page of a replay, its rows in order of delivery.
package struct ReplayPage: Sendable {
  /// The place of a replay's next page.
  package struct Position: Sendable, Equatable {
    /// The first page's snapshot, as PostgreSQL gave it.
    package let snapshot: Snapshot
    /// The last row read.
    package let last: RowKey
    /// Wanted are rows not visible in it, and unsent ones where `unsent`, as on the first page.
    package let since: Snapshot?
    package let unsent: Bool
    /// `since` is the client's cursor.
    package let isVouched: Bool
    /// When the first page began, in microseconds since 1970 of the database's clock. Rows marked since then are wanted,
    /// too: they reached another device. Nil where the client's cursor vouches for them.
    package let began: Int64?

    package init(
      snapshot: Snapshot, last: RowKey, since: Snapshot?, unsent: Bool, isVouched: Bool = false, began: Int64? = nil
    ) {
      self.began = began
      self.snapshot = snapshot
      self.last = last
      self.since = since
      self.unsent = unsent
      self.isVouched = isVouched
    }

    /// Whether the page can't be read after a lost connection. Ids above the newest durable transaction may be given again;
    /// of such rows, the first page's snapshot would show some and hide others.
    package func isVoid(durable: UInt64) -> Bool { snapshot.xmax > durable + 1 }

    /// The connection to the database was lost: `since` claims nothing above the newest durable transaction.
    package func lowered(durable: UInt64) -> Position {
      Position(
        snapshot: snapshot, last: last, since: since?.lowered(to: durable + 1), unsent: unsent,
        isVouched: isVouched, began: began)
    }
  }

  /// Frames of one group, that of the user; no groups where there is no row. `snapshot` is that of the first page.
  /// `cursor` vouches for the whole replay; it is set on the last page and written in its last row.
  package let batch: DeliveryBatch
  /// Rows after `since` were left out: the client refetches. Only on the first page.
  package let truncated: Bool
  /// Where the next page begins; nil on the last page.
  package let next: Position?
  /// The epoch of the database that answered.
  package let epoch: Epoch
  /// The number of the generation in which the page was read.
  package let generation: UInt64
  /// The newest transaction known to be on disk when the page was read.
  package let durable: UInt64
  /// Tables that could not be read, and whose rows are not in the page.
  package let omitted: [Int32]

  /// Whether the connection to the database was lost since the page was read, and the next one can't be read any more.
  package func isCutShort(by generation: UInt64) -> Bool {
    self.generation < generation && next?.isVoid(durable: durable) == true
  }

  package init(
    batch: DeliveryBatch, truncated: Bool, next: Position?, epoch: Epoch, generation: UInt64, durable: UInt64,
    omitted: [Int32] = []
  ) {
    self.batch = batch
    self.truncated = truncated
    self.next = next
    self.epoch = epoch
    self.generation = generation
    self.durable = durable
    self.omitted = omitted
  }
}
