import NotifyCore
import ServiceLifecycle
import Synchronization

/// Opens once, for everybody who waits.
final class Latch: Sendable {
  private let stream: AsyncStream<Void>
  private let continuation: AsyncStream<Void>.Continuation

  init() { (stream, continuation) = AsyncStream.makeStream() }

  /// Lets everybody through from now on.
  func open() { continuation.finish() }

  /// Returns once it is open, or the task is cancelled.
  func wait() async { for await _ in stream {} }
}

/// Starts a service when the gateway listens: what is wrong with its settings is found before the database is asked.
struct AfterListening: Service {
  let service: any Service
  let latch: Latch
  /// Told of what ends the service, before the others are ended.
  let onFailure: @Sendable (any Error) -> Void

  func run() async throws {
    await cancelWhenGracefulShutdown { await latch.wait() }
    try Task.checkCancellation()
    do {
      try await service.run()
    } catch {
      onFailure(error)
      throw error
    }
  }
}
