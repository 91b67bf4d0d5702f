internal import Logging
internal import NotifyCore

/// Shows what is in quarantine: in the log, one line for each row or table that enters or leaves, in the metrics and in the
/// bridge's status.
struct QuarantineWatch {
  /// An entry of `notify_bridge.quarantine`. It holds nothing of a row but its id.
  private struct KnownEntry: Hashable {
    let source: String
    let rowID: String?
    let txid: String?
    let stage: String
  }

  private let metrics: BridgeMetrics
  private let status: BridgeStatus
  private let logger: Logger
  /// The entries known, with their SQLSTATEs.
  private var known: [KnownEntry: String] = [:]

  init(metrics: BridgeMetrics, status: BridgeStatus, logger: Logger) {
    self.metrics = metrics
    self.status = status
    self.logger = logger
  }

  /// Reads the quarantine and reports what is new.
  mutating func look(_ connection: PGConnection) throws(StoreError) {
    let rows = try connection.query(
      """
      SELECT source, row_id, txid::text, stage, sqlstate FROM notify_bridge.quarantine
      ORDER BY row_id IS NOT NULL, since, row_id LIMIT \(Limits.loggedQuarantine)
      """)
    let counts = try connection.query(
      "SELECT stage, source, count(*) FROM notify_bridge.quarantine WHERE row_id IS NOT NULL GROUP BY stage, source")
    metrics.quarantined(
      counts.map { (stage: $0[0] ?? "", source: $0[1] ?? "", rows: $0[2].flatMap { Int($0) } ?? 0) })
    var now: [KnownEntry: String] = [:]
    for row in rows {
      now[KnownEntry(source: row[0] ?? "", rowID: row[1], txid: row[2], stage: row[3] ?? "")] = row[4] ?? ""
    }
    status.quarantined = now.keys.filter { $0.rowID == nil }.map { (table: $0.source, stage: $0.stage) }
      .sorted { ($0.table, $0.stage) < ($1.table, $1.stage) }
      .map { BridgeStatus.QuarantinedTable(table: $0.table, stage: $0.stage) }
    report(now)
    known = now
  }

  private func report(_ now: [KnownEntry: String]) {
    for (entry, sqlstate) in now where known[entry] == nil {
      logger.warning(
        entry.rowID == nil ? "a table is set aside" : "a row is set aside", metadata: metadata(entry, sqlstate))
    }
    for (entry, sqlstate) in known where now[entry] == nil {
      logger.info(
        entry.rowID == nil ? "a table is in quarantine no more" : "a row is in quarantine no more",
        metadata: metadata(entry, sqlstate))
    }
  }

  private func metadata(_ entry: KnownEntry, _ sqlstate: String) -> Logger.Metadata {
    var metadata: Logger.Metadata = [
      LogKey.source: "\(entry.source)", LogKey.stage: "\(entry.stage)", LogKey.sqlstate: "\(sqlstate)",
    ]
    if let id = entry.rowID { metadata[LogKey.rowID] = "\(id)" }
    return metadata
  }
}
