import Foundation

/// Runs work that blocks on a thread of its own, so that the cooperative pool goes on.
enum Blocking {
  /// Runs the work and waits for its result without blocking.
  static func run<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
    try await withCheckedThrowingContinuation { continuation in
      Thread.detachNewThread {
        continuation.resume(with: Result { try work() })
      }
    }
  }
}
