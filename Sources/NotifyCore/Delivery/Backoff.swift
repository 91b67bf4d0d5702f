/// The waits between attempts: none after the first failure, then longer each time, with jitter, up to a cap.
package struct Backoff: Sendable, Equatable {
  /// The longest wait.
  package static let cap: Duration = .seconds(3)
  private static let first: Duration = .milliseconds(100)
  private var failures = 0

  package init() {}

  /// The wait after one more failure.
  ///
  /// - Parameter jitter: 0 ..< 1; the wait is between a half and the whole of its step.
  package mutating func next(jitter: Double) -> Duration {
    defer { failures += 1 }
    guard failures > 0 else { return .zero }
    let step = min(Self.first * (1 << min(failures - 1, 10)), Self.cap)
    return step * (0.5 + jitter / 2)
  }

  /// Something worked.
  package mutating func reset() { failures = 0 }
}
