import Foundation

/// Runs blocking work on a separate thread, so that the cooperative pool goes on.
package enum Blocking {
  /// Runs the work and waits for its result without blocking.
  package static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(with: Result { try work() })
      }
    }
  }
}
