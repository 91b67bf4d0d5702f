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
  private let worker: Worker
  private nonisolated let signal: Worker.Signal
  private nonisolated let inbox = Inbox<Asked>()
  private var waiting: [Asked] = []

  package init(_ context: StoreContext) throws {
    self.context = context
    worker = try Worker("replay", context)
    signal = worker.signal
  }

  package nonisolated func replay(_ request: ReplayRequest, _ answer: @escaping @Sendable (ReplayPage) -> Void) {
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

  /// Reads a page for the oldest requests and answers each as soon as its rows have come; what fails stays waiting.
  private func read() throws(StoreError) {
    guard let moment = context.lineage.moment else { return }
    let batch = Array(waiting.prefix(Limits.replayRequests))
    waiting.removeFirst(batch.count)
    var isAnswered = Array(repeating: false, count: batch.count)
    defer { waiting = zip(batch, isAnswered).filter { !$1 }.map(\.0) + waiting }

    let plans = batch.map { asked in
      ReplayPlan(
        asked.request, epoch: moment.epoch, limits: context.limits,
        lowest: context.unsent.withLock { $0.lowest(asked.request.user) },
        purged: context.purged.load(ordering: .relaxed))
    }
    try worker.connection.replay(plans.map(\.query), timeout: Limits.statementTimeout)
    guard case .snapshot(let snapshot) = try worker.connection.next(timeout: Limits.statementTimeout) else {
      throw StoreError(.badAnswer, message: "a replay without a snapshot")
    }

    func answer(_ place: Int, _ rows: inout BatchBuilder, isTruncated: Bool, hasMore: Bool) {
      isAnswered[place] = true
      batch[place].answer(
        plans[place].page(&rows, snapshot: snapshot, isTruncated: isTruncated, hasMore: hasMore, moment: moment))
    }

    var rows = BatchBuilder(sources: context.status.served.current)
    var current: (place: Int, isTruncated: Bool, hasMore: Bool)?
    while let item = try worker.connection.next(timeout: Limits.statementTimeout) {
      switch item {
      case .request(let index, let isTruncated, let hasMore):
        if let current { answer(current.place, &rows, isTruncated: current.isTruncated, hasMore: current.hasMore) }
        current = (index, isTruncated, hasMore)
      case .row(_, let key, _, let createdAt, let data):
        if let current {
          rows.add(user: batch[current.place].request.user, key: key, createdAt: createdAt, data: data)
        }
      case .snapshot, .unsent, .revocation:
        throw StoreError(.badAnswer, message: "a replay with an item of another stream")
      }
    }
    if let current { answer(current.place, &rows, isTruncated: current.isTruncated, hasMore: current.hasMore) }
  }
}
