// The interfaces between the parts of the bridge: NotifyStore and NotifyGateway import these and never one another.

/// Takes rows and events of the database; the gateway's side of the path.
package protocol DeliverySink: Sendable {
  /// For each of these users, whether it has a socket: the rows of the others need not be delivered.
  ///
  /// A user who connects after this call gets them by its replay, which is read later than they were.
  func present(_ users: [UserID]) -> [Bool]

  /// Delivers a batch to the event loops. Called from one thread, in order.
  ///
  /// Returns at once while fewer than `Limits.batchesInFlight` batches are under way, else when there is room again.
  func deliver(_ batch: DeliveryBatch) async

  /// The connection to the database was lost and is back: snapshots taken before claim nothing above `durable`.
  ///
  /// Called before the first batch of the new connection.
  ///
  /// - Parameter generation: the new generation's number; replays read under an earlier one are lowered when they arrive.
  func reconnected(generation: UInt64, durable: UInt64)

  /// Access has ended. Called before the batches of the delta that reported it; without access no later row is sent.
  func revoke(_ revocations: [Revocation])

  /// The database's identity has changed, or other tables are served: every socket is closed with 1012, and the next ones
  /// get the new epoch.
  func epochChanged(to epoch: Epoch, generation: UInt64)
}

extension DeliverySink {
  /// All of them, where it is not known.
  package func present(_ users: [UserID]) -> [Bool] { Array(repeating: true, count: users.count) }
}

/// Takes rows that reached their users, to be marked; the store's side of the path. Returns at once, from any thread.
package protocol ConfirmationSink: Sendable {
  /// Rows were written to a socket, or acknowledged where the client promised that: they are to be marked sent.
  func written(_ rows: [PendingMark])
  /// A user has read rows: they are to be marked read.
  func read(user: UserID, rows: [RowName])
}

/// Reads the rows that a connection has missed.
package protocol ReplaySource: Sendable {
  /// Requests a page. The answer comes on any thread, once, unless the request is cancelled first.
  ///
  /// While the database is away requests wait; the caller decides how long.
  func replay(_ request: ReplayRequest, _ answer: @escaping @Sendable (ReplayPage) -> Void)
}
