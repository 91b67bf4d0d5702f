internal import Synchronization

/// The number of this bridge's row in `notify_bridge.replica`: set by the delta fetcher at each new session.
final class ReplicaNumber: Sendable {
  private let number = Mutex<String?>(nil)

  /// As text; nil before the first session.
  var current: String? {
    get { number.withLock { $0 } }
    set { number.withLock { $0 = newValue } }
  }
}
