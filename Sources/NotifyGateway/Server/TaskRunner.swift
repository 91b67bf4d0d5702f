/// Runs the asynchronous work that event loops ask for, as children of `Gateway.run()`.
final class TaskRunner: Sendable {
  typealias Job = @Sendable () async -> Void

  private let stream: AsyncStream<Job>
  private let continuation: AsyncStream<Job>.Continuation

  init() {
    (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(GatewayLimits.jobs))
  }

  /// Asks for work; false where too much waits already.
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
