internal import Logging
package import NotifyCore
internal import ServiceLifecycle
internal import Synchronization

/// Reads again what connections have missed: many of them by one statement, under one snapshot.
package actor ReplayReader: Service, ReplaySource {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  private nonisolated let thread = DedicatedThread(name: "nb-replay")

  private struct Asked: Sendable {
    let request: ReplayRequest
    let answer: @Sendable (ReplayPage) -> Void
  }

  private let context: StoreContext
  private let worker: RetryingConnection
  private nonisolated let signal: RetryingConnection.Signal
  private nonisolated let inbox = Inbox<Asked>()
  private var waiting: [Asked] = []

  package init(_ context: StoreContext) throws {
    self.context = context
    worker = try RetryingConnection("replay", context)
    signal = worker.signal
  }

  package nonisolated func replay(_ request: ReplayRequest, _ answer: @escaping @Sendable (ReplayPage) -> Void) {
    if let moment = context.fence.moment {
      let page = context.unsent.withLock {
        ReplayPage.ofNothingMissed(
          request, unsent: $0, epoch: moment.epoch, generation: moment.generation, durable: moment.durable)
      }
      if let page { return answer(page) }
    }
    let (before, _) = inbox.append([Asked(request: request, answer: answer)])
    if before == 0 { signal.wake() }
  }

  /// Runs until graceful shutdown; requests that wait then get no answer.
  package func run() async throws {
    await withTaskCancellationOrGracefulShutdownHandler {
      await loop()
    } onCancelOrGracefulShutdown: { [signal] in
      signal.stop()
    }
  }

  private func loop() async {
    while !signal.isStopped {
      waiting += inbox.takeAll()
      waiting.removeAll { $0.request.ticket.isCancelled }
      do {
        // Also without requests, so that the first one finds a connection.
        _ = try await worker.connectConfirmed()
        try worker.serve()
        worker.succeeded()
        if waiting.isEmpty {
          _ = try worker.connection.wait(Limits.safetyInterval)
        } else {
          try read()
        }
      } catch {
        worker.failed(error)
      }
    }
    worker.connection.close()
  }

  /// Reads a page for the oldest requests and answers them; what fails stays waiting.
  private func read() throws(StoreError) {
    guard let moment = context.fence.moment else { return }
    let batch = Array(waiting.prefix(Limits.replayRequests))
    waiting.removeFirst(batch.count)
    var pages: [ReplayPage?] = Array(repeating: nil, count: batch.count)
    var isComplete = false
    defer { if !isComplete { waiting = batch + waiting } }

    let plans = batch.map { asked in
      ReplayPlan(
        context.fence.current(asked.request), epoch: moment.epoch, limits: context.limits,
        lowest: context.unsent.withLock { $0.lowest(asked.request.user) },
        purged: context.purged.load(ordering: .relaxed))
    }
    try worker.connection.replay(plans.map(\.query), timeout: Limits.statementTimeout)
    guard case .snapshot(let snapshot) = try worker.connection.next() else {
      throw StoreError(.badAnswer, message: "a replay without a snapshot")
    }

    func finish(_ place: Int, _ rows: inout BatchBuilder, isTruncated: Bool, hasMore: Bool) {
      pages[place] = plans[place].page(
        &rows, snapshot: snapshot, isTruncated: isTruncated, hasMore: hasMore, moment: moment)
    }

    var rows = BatchBuilder(sources: context.status.served.current)
    var current: (place: Int, isTruncated: Bool, hasMore: Bool)?
    while let item = try worker.connection.next() {
      switch item {
      case .request(let index, let isTruncated, let hasMore):
        if let current { finish(current.place, &rows, isTruncated: current.isTruncated, hasMore: current.hasMore) }
        current = (index, isTruncated, hasMore)
      case .row(_, let key, _, let createdAt, let data):
        if let current {
          rows.add(user: batch[current.place].request.user, key: key, createdAt: createdAt, data: data)
        }
      case .snapshot, .unsent, .revocation:
        throw StoreError(.badAnswer, message: "a replay with an item of another stream")
      }
    }
    if let current { finish(current.place, &rows, isTruncated: current.isTruncated, hasMore: current.hasMore) }
    try revoke(seenBy: snapshot)
    isComplete = true
    for (asked, page) in zip(batch, pages) { if let page { asked.answer(page) } }
  }

  /// Hands over the revocations that a replay saw and the listener has not read yet: its rows may be of later
  /// transactions than they.
  private func revoke(seenBy snapshot: Snapshot) throws(StoreError) {
    guard let known = context.handedOver.withLock({ $0 }), let sink = context.sink.withLock({ $0 }) else {
      throw StoreError(.notConnected, message: "waiting for the listening connection", isRetriable: true)
    }
    if snapshot.xmax <= known.xmax, snapshot.xip == known.xip { return }
    let revocations = try worker.connection.query(
      """
      SELECT user_id, kind, credential, reason, txid::text FROM notify_bridge.revocation
      WHERE txid >= $1::xid8 OR txid = ANY ($2::xid8[])
      """, [String(known.xmax), "{\(known.xip.map(String.init).joined(separator: ","))}"]
    ).compactMap { row in
      Revocation(
        user: row[0] ?? "", kind: row[1] ?? "", credential: row[2], reason: row[3] ?? "",
        txid: row[4].flatMap { UInt64($0) } ?? 0)
    }
    if !revocations.isEmpty { sink.revoke(revocations) }
  }
}
