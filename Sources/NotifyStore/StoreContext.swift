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
  let lineage = Lineage()
  let unsent: Mutex<UnsentIndex>
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

  /// The database is another one: nothing that was known of its rows holds.
  func forgetRows() {
    unsent.withLock { $0 = UnsentIndex(limit: limits.rememberedUsers) }
    purged.store(0, ordering: .relaxed)
  }
}
