import NotifyCore
import ServiceLifecycle
import Synchronization

/// Opens once, and releases all waiting tasks.
final class Latch: Sendable {
  /// The waiting tasks; nil once it is open. Each has a separate stream, since cancelling a task ends its stream.
  private let waiters = Mutex<[AsyncStream<Void>.Continuation]?>([])

  /// Opens it for good.
  func open() {
    let waiting = waiters.withLock { waiters in
      defer { waiters = nil }
      return waiters ?? []
    }
    for waiter in waiting { waiter.finish() }
  }

  /// Returns once it is open, or the task is cancelled.
  func wait() async {
    let (stream, continuation) = AsyncStream<Void>.makeStream()
    let isOpen = waiters.withLock { waiters in
      waiters?.append(continuation)
      return waiters == nil
    }
    if isOpen { continuation.finish() }
    for await _ in stream {}
  }
}

/// Starts a service when the gateway listens, so that errors of its settings come before any access to the database.
struct AfterListening: Service {
  let service: any Service
  let latch: Latch
  /// Called with the error that ends the service, before the other services end.
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
