internal import Foundation

/// The pauses between attempts to get a lock that other sessions hold.
///
/// Each attempt gives up soon (`lock_timeout`), so that no other session queues behind it for long. A value; instants are
/// arguments.
package struct LockRetry: Sendable, Equatable {
  private static let firstPause: Duration = .milliseconds(250)
  private static let longestPause: Duration = .seconds(4)

  private let deadline: ContinuousClock.Instant
  private var pause = Self.firstPause
  /// Attempts that failed so far.
  package private(set) var attempts = 0

  /// - Parameter timeout: of all attempts together.
  package init(timeout: Duration, from now: ContinuousClock.Instant) {
    deadline = now + timeout
  }

  /// An attempt has failed because of a lock.
  ///
  /// - Returns: how long to pause before the next one; nil after the timeout.
  package mutating func next(at now: ContinuousClock.Instant) -> Duration? {
    guard now < deadline else { return nil }
    defer { pause = min(pause * 2, Self.longestPause) }
    attempts += 1
    return pause
  }

  /// Blocks the thread: for commands, which have nothing else to do.
  package static func sleep(_ pause: Duration) {
    Thread.sleep(forTimeInterval: pause / .seconds(1))
  }
}

extension PGConnection {
  /// Runs one statement, and again while other sessions' locks are in its way. Blocks the thread meanwhile.
  ///
  /// - Parameters:
  ///   - timeout: of each attempt.
  ///   - totalTimeout: of all attempts together.
  ///   - onWait: called once, after the first attempt that failed.
  /// - Throws: the last attempt's failure.
  package func retryLocked(
    _ sql: String, _ parameters: [String?] = [], timeout: Duration, totalTimeout: Duration,
    onWait: (StoreError) -> Void = { _ in }
  ) throws(StoreError) -> [[String?]] {
    var retry = LockRetry(timeout: totalTimeout, from: .now)
    while true {
      do throws(StoreError) {
        return try query(sql, parameters, timeout: timeout)
      } catch {
        guard error.isLockConflict, isConnected, let pause = retry.next(at: .now) else { throw error }
        if retry.attempts == 1 { onWait(error) }
        LockRetry.sleep(pause)
      }
    }
  }
}
