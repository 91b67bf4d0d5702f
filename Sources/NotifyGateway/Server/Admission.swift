import NotifyCore
import Synchronization

/// Admits WebSockets across all event loops. Touched only at connects and disconnects.
final class Admission: Sendable {
  /// The outcome of a connect.
  enum Outcome: Equatable {
    case admitted
    /// The process is at its limit.
    case full
    /// The address is at its limit of connections or of connects per second.
    case tooMany
  }

  private struct State {
    var open = 0
    var perAddress: [String: Int] = [:]
    var second: Int64 = 0
    var connects: [String: Int] = [:]
  }

  private let limits: Limits
  private let state = Mutex(State())

  init(limits: Limits) { self.limits = limits }

  /// WebSockets that are open.
  var open: Int { state.withLock { $0.open } }

  /// A connect; unless `.full`, it is counted until `leave`.
  ///
  /// - Parameter second: any clock's seconds.
  func enter(address: String, second: Int64) -> Outcome {
    state.withLock { state in
      guard state.open < limits.connections else { return .full }
      state.open += 1
      var outcome = Outcome.admitted
      if limits.connectionsPerAddress > 0 {
        let count = state.perAddress[address, default: 0] + 1
        state.perAddress[address] = count
        if count > limits.connectionsPerAddress { outcome = .tooMany }
      }
      if limits.connectRate > 0 {
        if state.second != second || state.connects.count >= GatewayLimits.countedAddresses {
          state.second = second
          state.connects = [:]
        }
        let count = state.connects[address, default: 0] + 1
        state.connects[address] = count
        if count > limits.connectRate { outcome = .tooMany }
      }
      return outcome
    }
  }

  /// A counted connection is closed.
  func leave(address: String) {
    state.withLock { state in
      state.open -= 1
      guard limits.connectionsPerAddress > 0, let count = state.perAddress[address] else { return }
      state.perAddress[address] = count > 1 ? count - 1 : nil
    }
  }
}
