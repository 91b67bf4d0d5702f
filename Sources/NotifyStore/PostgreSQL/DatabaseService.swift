package import ServiceLifecycle

/// A service of the store: an actor on its own thread, whose calls to the database may block it.
///
/// The actor declares `unownedExecutor` itself: the compiler ignores one in an extension of this protocol.
package protocol DatabaseService: Actor, Service {
  /// The actor's executor, to be returned by its `unownedExecutor`.
  nonisolated var thread: DedicatedThread { get }
  /// Wakes and stops it.
  nonisolated var signal: StopSignal { get }

  /// Works until `signal` is stopped.
  func work() async throws
}

extension DatabaseService {
  /// Runs until graceful shutdown or cancellation.
  package func run() async throws {
    try await withTaskCancellationOrGracefulShutdownHandler {
      try await work()
    } onCancelOrGracefulShutdown: { [signal] in
      signal.stop()
    }
  }
}
