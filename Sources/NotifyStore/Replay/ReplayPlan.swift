internal import NotifyCore

/// Decides what one request for a replay reads, and makes its page of the answer. A value without I/O.
struct ReplayPlan {
  let request: ReplayRequest
  let query: PGConnection.ReplayQuery
  /// A later page: the first page's snapshot, and when it began.
  private let firstSnapshot: Snapshot?
  private let began: Int64?
  private let since: Snapshot?
  private let wantsUnsent: Bool
  private let isForeign: Bool
  /// The client gave a cursor: its page says when rows after that are left out.
  private let promisesAll: Bool
  /// `since` is the client's cursor.
  private let isVouched: Bool

  /// - Parameters:
  ///   - request: adapted to all losses of the connection.
  ///   - lowest: no unsent row of the user has a lower txid.
  ///   - purged: the newest transaction of which the retention has deleted a row.
  ///   - missing: the tables that can't be read.
  ///   - isEncodable: whether the database's encoding has all characters of the user.
  init(
    _ request: ReplayRequest, epoch: Epoch, limits: Limits, lowest: UInt64, purged: UInt64, missing: [Int32] = [],
    isEncodable: Bool = true
  ) {
    self.request = request
    var firstSnapshot: Snapshot?
    var began: Int64?
    var since: Snapshot?
    var wantsUnsent = true
    var isForeign = false
    var promisesAll = true
    var isVouched = false
    var from = lowest
    var after: RowKey?
    var sentLimit = 0
    switch request.wanted {
    case .connecting(let text, let routedAtJoin):
      sentLimit = limits.replayRows
      switch Cursor.read(text, epoch: epoch, missing: missing) {
      case .none:
        since = routedAtJoin
        from = min(from, routedAtJoin?.xmin ?? from)
        promisesAll = false
      case .foreign: isForeign = true
      case .cursor(let snapshot):
        since = snapshot
        isVouched = true
        from = min(from, snapshot.xmin)
        // Some rows after it are deleted.
        isForeign = !snapshot.sees(purged)
      }
    case .after(let snapshot):
      since = snapshot
      wantsUnsent = false
      from = snapshot.xmin
    case .page(let position):
      firstSnapshot = position.snapshot
      began = position.began
      since = position.since
      wantsUnsent = position.unsent
      isVouched = position.isVouched
      after = position.last
      from = position.last.txid
    }
    self.firstSnapshot = firstSnapshot
    self.began = began
    self.since = since
    self.wantsUnsent = wantsUnsent
    self.isForeign = isForeign
    self.promisesAll = promisesAll
    self.isVouched = isVouched
    query = PGConnection.ReplayQuery(
      user: isEncodable ? request.user : nil, lowest: from, wantsUnsent: wantsUnsent, isVouched: isVouched,
      since: since,
      sentLimit: sentLimit,
      page: firstSnapshot, after: after, began: began)
  }

  /// Makes the page of the rows.
  ///
  /// - Parameters:
  ///   - snapshot: the statement's.
  ///   - now: when the statement began, in microseconds since 1970 of the database's clock.
  ///   - isTruncated: rows after `since` were left out as too many.
  ///   - last: the last row that was read, where the page is not the last one.
  ///   - generation: the current one when the statement began.
  func page(
    _ rows: inout BatchBuilder, snapshot: Snapshot, at now: Int64, isTruncated: Bool, next last: RowKey?,
    in generation: GenerationFence.Generation, omitted: [Int32]
  ) -> ReplayPage {
    let replaySnapshot = firstSnapshot ?? snapshot
    // A cursor from the future was made in a history that this database has lost: it is not valid here.
    let isFromFuture = firstSnapshot == nil && (since.map { $0.xmax > snapshot.xmax } ?? false)
    let cursor =
      last == nil && omitted.isEmpty
      ? Cursor(epoch: generation.epoch, snapshot: replaySnapshot, durable: generation.durable).text : nil
    return ReplayPage(
      batch: rows.finish(base: replaySnapshot, snapshot: replaySnapshot, cursor: cursor),
      truncated: promisesAll && (isTruncated || isForeign || isFromFuture),
      next: last.map {
        ReplayPage.Position(
          snapshot: replaySnapshot, last: $0, since: isTruncated ? nil : since, unsent: wantsUnsent,
          isVouched: isVouched, began: wantsUnsent && !isVouched ? (firstSnapshot == nil ? now : began) : nil)
      },
      epoch: generation.epoch, generation: generation.number, durable: generation.durable, omitted: omitted)
  }
}
