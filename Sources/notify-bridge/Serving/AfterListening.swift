import NotifyCore
import ServiceLifecycle
import Synchronization

/// Opens once, for everybody who waits.
final class Latch: Sendable {
  /// Who waits; nil once it is open. Each has a stream of its own, since cancelling one waiter ends its stream.
  private let waiters = Mutex<[AsyncStream<Void>.Continuation]?>([])

  /// Lets everybody through from now on.
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
