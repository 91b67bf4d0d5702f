/// The rows to read for one connection.
package struct ReplayRequest: Sendable {
  /// Which rows are wanted.
  package enum Wanted: Sendable, Equatable {
    /// Unsent rows, and rows after the cursor where one was given (as text: the store compares its epoch).
    ///
    /// Without a cursor: rows after `routedAtJoin`, the newest delta routed when the connection joined its group. A row that is
    /// committed after that may reach another device and be marked before the replay's snapshot is taken.
    case connecting(since: String?, routedAtJoin: Snapshot? = nil)
    /// Rows that an earlier replay under this snapshot did not see: its catch-up buffer overflowed.
    case after(Snapshot)
    /// The next page of the replay that began with this snapshot.
    case page(of: ReplayPage.Position)

    /// The connection to the database was lost: earlier snapshots claim nothing above the newest durable transaction.
    package func lowered(durable: UInt64) -> Wanted {
      switch self {
      case .connecting(let since, let routed):
        .connecting(since: since, routedAtJoin: routed?.lowered(to: durable + 1))
      case .after(let snapshot): .after(snapshot.lowered(to: durable + 1))
      case .page(let position): .page(of: position.lowered(durable: durable))
      }
    }
  }

  package let user: UserID
  package let wanted: Wanted
  /// Tells whether the answer is still wanted.
  package let cancellation: ReplayCancellation
  /// The number of the generation in which `wanted` was made. In a later one its snapshots are lowered.
  package let generation: UInt64

  package init(user: UserID, wanted: Wanted, cancellation: ReplayCancellation, generation: UInt64 = 0) {
    self.user = user
    self.wanted = wanted
    self.cancellation = cancellation
    self.generation = generation
  }
}
