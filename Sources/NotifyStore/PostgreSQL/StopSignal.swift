internal import Synchronization

/// Wakes and stops a service from any thread.
package final class StopSignal: Sendable {
  private let stopped = Atomic<Bool>(false)
  private let waker: PGConnection.Waker

  init(_ waker: PGConnection.Waker) { self.waker = waker }

  /// Whether the service is to end.
  var isStopped: Bool { stopped.load(ordering: .acquiring) }

  /// Ends the connection's current or next wait.
  func wake() { waker.wake() }

  /// Ends the service.
  func stop() {
    stopped.store(true, ordering: .releasing)
    waker.wake()
  }
}
