/// Runs asynchronous work of event loops as child tasks of `Gateway.run()`.
final class TaskRunner: Sendable {
  typealias Work = @Sendable () async -> Void

  private let stream: AsyncStream<Work>
  private let continuation: AsyncStream<Work>.Continuation

  init() {
    (stream, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingOldest(GatewayLimits.tasks))
  }

  /// Queues work; false where `GatewayLimits.tasks` are queued already.
  func submit(_ work: @escaping Work) -> Bool {
    if case .enqueued = continuation.yield(work) { return true }
    return false
  }

  /// Works until cancelled.
  func run() async {
    await withDiscardingTaskGroup { group in
      for await work in stream {
        group.addTask { await work() }
      }
      group.cancelAll()
    }
  }
}
