import Foundation

/// Decides a client's next step after its socket ended (`protocol.md`, close codes).
struct ReconnectPlan: Equatable, Sendable {
  /// The next step.
  enum Step: Equatable, Sendable {
    /// Try again after a pause, in seconds.
    case retry(after: Double)
    /// Get a new credential, then try again at once.
    case renew
    /// Stop: another try would end the same way.
    case giveUp(String)
  }

  /// The longest pause.
  static let longestPause = 10.0

  /// Whether a new token can be made.
  let canRenew: Bool
  private var failures = 0
  private var wasConnected = false

  init(canRenew: Bool) { self.canRenew = canRenew }

  /// A message came: the connection works.
  mutating func connected() {
    failures = 0
    wasConnected = true
  }

  /// The socket ended.
  ///
  /// - Parameter chance: 0 to 1, spreads clients that lost the same bridge.
  mutating func ended(_ ending: WebSocketClient.Disconnect, chance: Double) -> Step {
    switch ending {
    case .closed(4001, "expired") where canRenew && wasConnected:
      return .renew
    case .closed(let code, let reason) where [4001, 4009].contains(code):
      return .giveUp("the bridge closed the connection: \(code) \(reason)")
    case .closed(_, let reason):
      wasConnected = true
      if let milliseconds = Self.retryMilliseconds(reason) { return .retry(after: Double(milliseconds) / 1_000) }
      return .retry(after: pause(chance))
    case .refused(let status) where status == 503 && wasConnected:
      return .retry(after: pause(chance))
    case .refused(let status):
      return .giveUp("the bridge refused the connection with HTTP status \(status)")
    case .unreachable(let reason):
      return wasConnected ? .retry(after: pause(chance)) : .giveUp("no bridge answers: \(reason)")
    }
  }

  private mutating func pause(_ chance: Double) -> Double {
    failures += 1
    let full = min(Self.longestPause, 0.5 * pow(2, Double(min(failures, 10) - 1)))
    return full * (0.5 + 0.5 * chance)
  }

  /// The time that a close reason names: `retry_ms=1234`.
  static func retryMilliseconds(_ reason: String) -> Int? {
    guard let range = reason.range(of: "retry_ms=") else { return nil }
    return Int(reason[range.upperBound...].prefix { $0.isNumber }).map { min($0, 60_000) }
  }
}
