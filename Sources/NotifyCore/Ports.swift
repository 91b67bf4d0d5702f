/// What the parts of the bridge ask of each other. NotifyStore and NotifyGateway never import one another; both know these.

/// Takes rows and news of the database; the gateway's side of the path.
package protocol DeliverySink: Sendable {
  /// Which of these users have a socket: the rows of the others need not be delivered.
  ///
  /// Who comes after this call gets them by its replay, which is read later than they were.
  func present(_ users: [UserID]) -> [Bool]

  /// Hands a batch to every event loop. Called from one thread, in order.
  ///
  /// Returns at once while fewer than `Limits.batchesInFlight` batches are on their way, else when there is room again.
  func deliver(_ batch: DeliveryBatch) async

  /// The connection to the database was lost and is back: snapshots taken before claim nothing above `durable`.
  ///
  /// Called before the first batch of the new connection.
  ///
  /// - Parameter generation: counts these losses; replays read under an earlier one are lowered when they arrive.
  func reconnected(generation: UInt64, durable: UInt64)

  /// Access has ended. Called before the batches of the delta that brought it; without access no later row is sent.
  func revoke(_ revocations: [Revocation])

  /// The database is another one, or other tables are served: every socket is closed with 1012, and the next ones learn the new epoch.
  func epochChanged(to epoch: Epoch, generation: UInt64)
}

extension DeliverySink {
  /// All of them, where it isn't known.
  package func present(_ users: [UserID]) -> [Bool] { Array(repeating: true, count: users.count) }
}

/// Takes what happened to rows on sockets; the store's side of the path. Returns at once, from any thread.
package protocol ConfirmationSink: Sendable {
  /// Rows were written to a socket (or acknowledged): they are to be marked sent.
  func written(_ rows: [PendingMark])
  /// A user has read rows.
  func read(user: UserID, rows: [RowName])
}

/// A row that reached a device of its user.
package struct PendingMark: Hashable, Sendable {
  package let key: RowKey
  package let user: UserID

  package init(key: RowKey, user: UserID) {
    self.key = key
    self.user = user
  }
}

/// Reads again what a connection has missed.
package protocol ReplaySource: Sendable {
  /// Asks for a page. The answer comes on any thread, once, unless the ticket is cancelled first.
  ///
  /// While the database is away requests wait; whoever asked decides how long.
  func replay(_ request: ReplayRequest, _ answer: @escaping @Sendable (ReplayPage) -> Void)
}

/// What to read for one connection.
package struct ReplayRequest: Sendable {
  /// Which rows.
  package enum Wanted: Sendable, Equatable {
    /// What is unsent, and what came after the cursor where one was given (as text: its epoch is the database's to judge).
    ///
    /// Without a cursor: what came after `joined`, the newest delta routed where the connection joined its group. A row
    /// that is committed after that may reach another device and be marked before the replay's snapshot is taken.
    case connecting(since: String?, joined: Snapshot? = nil)
    /// What an earlier replay under this snapshot did not see: its held-back rows overflowed.
    case after(Snapshot)
    /// The next page of the replay that began with this snapshot.
    case page(of: ReplayPage.Position)

    /// The connection to the database was lost: what came before claims nothing above the newest durable transaction.
    package func lowered(durable: UInt64) -> Wanted {
      switch self {
      case .connecting(let since, let joined): .connecting(since: since, joined: joined?.lowered(to: durable + 1))
      case .after(let snapshot): .after(snapshot.lowered(to: durable + 1))
      case .page(let position): .page(of: position.lowered(durable: durable))
      }
    }
  }

  package let user: UserID
  package let wanted: Wanted
  /// Tells whether anybody still waits for the answer.
  package let ticket: ReplayCancellation
  /// How many lost connections to the database `wanted` takes into account. After later ones its snapshots are lowered.
  package let generation: UInt64

  package init(user: UserID, wanted: Wanted, ticket: ReplayCancellation, generation: UInt64 = 0) {
    self.user = user
    self.wanted = wanted
    self.ticket = ticket
    self.generation = generation
  }
}

/// A page of a replay, its rows in order of delivery.
package struct ReplayPage: Sendable {
  /// Where a replay stands, for its next page.
  package struct Position: Sendable, Equatable {
    /// The first page's snapshot, as PostgreSQL gave it.
    package let snapshot: Snapshot
    /// The last row read.
    package let last: RowKey
    /// What is still wanted: rows not visible in it, and unsent ones where `unsent`; as on the first page.
    package let since: Snapshot?
    package let unsent: Bool

    package init(snapshot: Snapshot, last: RowKey, since: Snapshot?, unsent: Bool) {
      self.snapshot = snapshot
      self.last = last
      self.since = since
      self.unsent = unsent
    }

    /// The connection to the database was lost: `since` claims nothing above the newest durable transaction.
    package func lowered(durable: UInt64) -> Position {
      Position(snapshot: snapshot, last: last, since: since?.lowered(to: durable + 1), unsent: unsent)
    }
  }

  /// Frames of one group, that of the user; no groups where there is no row. `snapshot` is that of the first page,
  /// `cursor` the one that vouches for the whole replay, set on its last page and written in its last row.
  package let batch: DeliveryBatch
  /// Rows after `since` were left out: the client refetches. Only on the first page.
  package let truncated: Bool
  /// Where the next page begins; nil on the last page.
  package let next: Position?
  /// The epoch of the database that answered.
  package let epoch: Epoch
  /// The number of lost connections before the page was read.
  package let generation: UInt64
  /// The newest transaction known to be on disk when the page was read.
  package let durable: UInt64

  package init(
    batch: DeliveryBatch, truncated: Bool, next: Position?, epoch: Epoch, generation: UInt64, durable: UInt64
  ) {
    self.batch = batch
    self.truncated = truncated
    self.next = next
    self.epoch = epoch
    self.generation = generation
    self.durable = durable
  }
}
