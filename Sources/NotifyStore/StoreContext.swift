package import Logging
package import NotifyCore
internal import Synchronization

/// What the store's services share: make one, then the services from it.
package final class StoreContext: Sendable {
  package let settings: StoreSettings
  package let limits: Limits
  package let status: BridgeStatus
  package let metrics: BridgeMetrics
  let logger: Logger
  let fence = GenerationFence()
  let unsent: Mutex<UnsentIndex>
  /// Where the listener hands over to.
  let sink = Mutex<(any DeliverySink)?>(nil)
  /// What the newest delta saw whose revocations and rows were handed over; nil while the listener is not connected.
  let handedOver = Mutex<Snapshot?>(nil)
  private let sources = Mutex<(version: UInt64, list: [TableMapping])>((0, []))
  /// The newest transaction of which the retention has deleted a row; 0 for none.
  let purged = Atomic<UInt64>(0)

  package init(
    settings: StoreSettings, limits: Limits, status: BridgeStatus, metrics: BridgeMetrics, logger: Logger
  ) {
    self.settings = settings
    self.limits = limits
    self.status = status
    self.metrics = metrics
    self.logger = logger
    self.unsent = Mutex(UnsentIndex(limit: limits.rememberedUsers))
  }

  /// A statement failed because of what some row holds: the listener looks for its table.
  let payloadFailed = Atomic<Bool>(false)

  /// Other tables are served from now on.
  func serve(_ listing: TableMapping.Listing) {
    sources.withLock { $0 = ($0.version + 1, listing.served) }
    status.served.current = listing.list
  }

  /// The tables that are served, where they are others than at `version`.
  func sources(since version: UInt64) -> (version: UInt64, list: [TableMapping])? {
    sources.withLock { $0.version == version ? nil : $0 }
  }

  /// The database is another one, or other tables are served: nothing that was known of its rows holds.
  func forgetRows() {
    unsent.withLock { $0 = UnsentIndex(limit: limits.rememberedUsers, version: $0.version + 1) }
    purged.store(0, ordering: .relaxed)
  }
}
