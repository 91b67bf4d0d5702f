extension ReplayPage {
  /// The page of a connection that has missed nothing, where that is known without a query: most browsers come without a
  /// cursor, and have no unsent row.
  ///
  /// Every row that `routedAtJoin` sees was counted in `unsent` before it was routed, and is counted off only after its
  /// marking. A row that it doesn't see comes by a delta that is routed after the connection joined its group. So the page
  /// has no rows, and `routedAtJoin` is its snapshot.
  ///
  /// - Parameters:
  ///   - generation: the number of the current generation.
  ///   - durable: the newest transaction known to be on disk.
  /// - Returns: nil where the database has to be read.
  package static func ofNothingMissed(
    _ request: ReplayRequest, unsent: UnsentIndex, epoch: Epoch, generation: UInt64, durable: UInt64
  ) -> ReplayPage? {
    guard case .connecting(nil, let routedAtJoin?) = request.wanted, request.generation == generation,
      unsent.hasNone(request.user)
    else { return nil }
    let cursor =
      unsent.omitted.isEmpty ? Cursor(epoch: epoch, snapshot: routedAtJoin, durable: durable).text : nil
    return ReplayPage(
      batch: DeliveryBatch(base: routedAtJoin, snapshot: routedAtJoin, cursor: cursor), truncated: false, next: nil,
      epoch: epoch,
      generation: generation, durable: durable, omitted: unsent.omitted)
  }
}
