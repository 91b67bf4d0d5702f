package import Logging
package import NotifyCore

/// Makes the services of one database, and the values that they share.
package struct Store: Sendable {
  let settings: StoreSettings
  let limits: Limits
  let status: BridgeStatus
  let metrics: BridgeMetrics
  let logger: Logger

  /// Where the database is.
  let urls: DatabaseURLs
  /// The history in which transaction ids are valid.
  let fence = GenerationFence()
  /// The tables that all connections serve.
  let tables = ServedTables()
  /// Who has unsent rows.
  let unsent: UnsentRows
  /// How far deltas were delivered, and to which sink.
  let progress = DeliveryProgress()
  /// What happens in the quarantine.
  let quarantineNews = QuarantineNews()
  /// This bridge among several.
  let replica = ReplicaNumber()
  /// How far the retention has deleted.
  let purgeHorizon = PurgeHorizon()

  package init(
    settings: StoreSettings, limits: Limits, status: BridgeStatus, metrics: BridgeMetrics, logger: Logger
  ) {
    self.settings = settings
    urls = DatabaseURLs(settings)
    self.limits = limits
    self.status = status
    self.metrics = metrics
    self.logger = logger
    unsent = UnsentRows(limit: limits.rememberedUsers)
  }
}
