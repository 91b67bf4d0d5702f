/// Runs asynchronous work of event loops as child tasks of `Gateway.run()`.
final class TaskRunner: Sendable {
  typealias Job = @Sendable () async -> Void

  private let stream: AsyncStream<Job>
  private let continuation: AsyncStream<Job>.Continuation

  init() {
    (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(GatewayLimits.jobs))
  }

  /// Queues work; false where `GatewayLimits.jobs` are queued already.
  func submit(_ job: @escaping Job) -> Bool {
    if case .enqueued = continuation.yield(job) { return true }
    return false
  }

  /// Works until cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      for await job in stream {
        group.addTask { await job() }
      }
      group.cancelAll()
    }
  }
}
