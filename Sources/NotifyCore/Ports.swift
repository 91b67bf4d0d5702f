// The interfaces between the parts of the bridge: NotifyStore and NotifyGateway import these and never one another.

/// Takes rows and events of the database; the gateway's side of the path.
package protocol DeliverySink: Sendable {
  /// The event loops on which each of these users has sockets. A user without any needs no frames.
  ///
  /// Called once for each batch, after its rows were read and counted as unsent. A socket that joins later gets the rows
  /// by its replay: the replay is read later than they were, and they can't be marked before the batch is delivered.
  func loops(of users: [UserID]) -> [LoopSet]

  /// Delivers a batch to the event loops that its groups name. Called from one thread, in order.
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

  /// Tables can be read again, and their rows were delivered: sockets whose replay lacks them are closed with 1012.
  ///
  /// - Parameter tables: their numbers.
  func tablesReturned(_ tables: [Int32])

  /// Returns once the batches delivered so far were routed, and the rows that sockets took were reported.
  func settled() async

  /// The database's identity has changed, or other tables are served: every socket is closed with 1012, and the next ones
  /// get the new epoch.
  func epochChanged(to epoch: Epoch, generation: UInt64)
}

extension DeliverySink {
  package func settled() async {}

  /// Every loop, where it is not known.
  package func loops(of users: [UserID]) -> [LoopSet] { Array(repeating: .all, count: users.count) }
}

/// Takes rows that reached their users, to be marked; the store's side of the path. Returns at once, from any thread.
package protocol ConfirmationSink: Sendable {
  /// Rows were delivered: the kernel took them, or the client acknowledged them where it promised that. They are to be
  /// marked sent.
  func delivered(_ rows: [PendingMark])
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
