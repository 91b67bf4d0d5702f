internal import NotifyCore
internal import Synchronization

/// How far deltas were delivered, and to which sink: set by the delta fetcher, read by replays.
final class DeliveryProgress: Sendable {
  private let state = Mutex<(sink: (any DeliverySink)?, snapshot: Snapshot?)>((nil, nil))

  /// Where rows and revocations are delivered.
  var sink: (any DeliverySink)? {
    get { state.withLock { $0.sink } }
    set { state.withLock { $0.sink = newValue } }
  }

  /// The snapshot of the newest delta whose revocations and rows were delivered; nil while not listening.
  var lastDelivered: Snapshot? {
    get { state.withLock { $0.snapshot } }
    set { state.withLock { $0.snapshot = newValue } }
  }
}
