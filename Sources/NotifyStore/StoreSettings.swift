package import NotifyCore

/// The operator's settings for the database.
package struct StoreSettings: Sendable {
  /// URI or conninfo.
  package var url: Secret
  /// For LISTEN, where `url` is a pooler; nil for the same.
  package var listenURL: Secret?
  /// Reads both URLs again, for a server that refuses the password; nil where they can't be read.
  package var readURLsAgain: @Sendable () -> (url: Secret, listenURL: Secret?)? = { nil }
  /// The kind of pooler between `url` and the server.
  package var pooler: Pooler
  /// Shown in pg_stat_activity.
  package var applicationName: String
  /// This program's version, shown in `notify_bridge.replica`.
  package var version: String
  /// Which rows are deleted, and when.
  package var retention: RetentionSettings
  /// Whether users with sockets are shown in `notify_bridge.presence`.
  package var recordsPresence = true
  /// Days for which the connection log is kept; 0 for no log.
  package var connectionLogDays = 0
  /// The same for the delivery log.
  package var deliveryLogDays = 0
  /// When commits ring, and when they need not.
  package var doorbell: DoorbellSettings
  /// How long the database may be away before clients have to come back.
  package var revocationsKept = Limits.revocationsKept
  /// How long one row may take where it is read by its key; beyond, it is quarantined.
  package var rowTimeout = Limits.statementTimeout
  /// How long there are no cursors while a table can't be read; beyond, they name the table.
  package var cursorsWithheld = Limits.cursorsWithheld

  /// What the gateway is to note.
  package var activity: ActivityNotes.Kinds {
    ActivityNotes.Kinds(presence: recordsPresence, connections: connectionLogDays > 0, deliveries: deliveryLogDays > 0)
  }

  package init(
    url: Secret, listenURL: Secret? = nil, pooler: Pooler = .detected, applicationName: String = "notify-bridge",
    version: String, retentionDays: Int, doorbell: DoorbellSettings = DoorbellSettings()
  ) {
    self.url = url
    self.listenURL = listenURL
    self.pooler = pooler
    self.applicationName = applicationName
    self.version = version
    retention = RetentionSettings(days: retentionDays)
    self.doorbell = doorbell
  }
}
