import Synchronization

/// Cancels a replay's request, from any thread.
package final class ReplayCancellation: Sendable {
  private let cancelled = Atomic<Bool>(false)

  package init() {}

  /// The answer is no longer wanted: a request that still waits is dropped.
  package func cancel() { cancelled.store(true, ordering: .relaxed) }

  /// Whether the answer is no longer wanted.
  package var isCancelled: Bool { cancelled.load(ordering: .relaxed) }
}
