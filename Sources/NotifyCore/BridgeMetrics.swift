package import Metrics
internal import Synchronization

/// All metrics of the bridge, made once from the factory that is passed in.
///
/// Names carry their unit; no label ever names a user.
package final class BridgeMetrics: Sendable {
  /// Rows read from the table by deltas.
  package let rowsFetched: Counter
  /// Rows written to a socket as they came, counted for each device.
  package let rowsDelivered: Counter
  /// Rows written to a socket by a replay.
  package let rowsReplayed: Counter
  /// Rows compressed, once for all devices of an event loop.
  package let rowsDeflated: Counter
  /// Bytes that did not have to be written because rows were compressed, counted for each device.
  package let deflateSavedBytes: Counter
  /// Rows marked sent.
  package let rowsMarked: Counter
  /// Rows read that have no recipient.
  package let rowsWithoutUser: Counter
  /// Rows of another cluster that were given a transaction of this one.
  package let rowsRepaired: Counter
  /// Doorbells heard.
  package let doorbells: Counter
  /// Changes between ringing and not.
  package let doorbellChanges: Counter
  private let doorbellStates: [(state: String, gauge: Gauge)]
  /// Safety fetches that found rows for which no doorbell rang: must stay 0.
  package let safetyFinds: Counter
  /// Listening connections that were lost and came back in the same history.
  /// A new epoch, new tables or a long absence closes the sockets instead, and is not counted.
  package let reconnects: Counter
  /// Acknowledged ids that were not sent on the connection, read ids that changed no row of the user, and read receipts
  /// that were dropped because too many waited.
  package let idsIgnored: Counter
  /// Written rows whose marking was given up: they are sent again after a restart.
  package let marksDropped: Counter
  /// Statements for presence and the logs that failed, at least in part.
  package let activityFailures: Counter
  /// Rows of the logs that were dropped, and users whose presence the database can't hold.
  package let activityDropped: Counter
  /// Sockets that got `connection_established`.
  package let connects: Counter
  /// Connects that were refused.
  package let rejects: Counter
  /// 1 while `/readyz` says 200, else 0.
  package let ready: Gauge
  /// Sockets open now.
  package let connections: Gauge
  /// Users with at least one socket now.
  package let users: Gauge
  /// Bytes of rows waiting in the sockets' queues.
  package let queueBytes: Gauge
  /// Rows written to sockets and not yet marked.
  package let marksPending: Gauge
  private let factory: any MetricsFactory
  private let quarantinedRows = Mutex<[String: Gauge]>([:])
  // The two that are recorded for each row are handlers of the backend itself: to convert a number of any kind, as
  // `Recorder` does, costs several times what recording it does.

  /// Seconds from the doorbell until the kernel took the row.
  package let doorbellToSocket: any RecorderHandler
  /// Seconds from the row's created_at until the kernel took it (PostgreSQL tells no commit time).
  package let createdToSocket: any RecorderHandler

  /// - Parameter factory: the backend; the bridge has its own (`PrometheusRegistry`).
  package init(factory: any MetricsFactory) {
    func counter(_ name: String) -> Counter { Counter(label: "notify_bridge_\(name)_total", factory: factory) }
    func gauge(_ name: String) -> Gauge { Gauge(label: "notify_bridge_\(name)", factory: factory) }
    func seconds(_ name: String) -> any RecorderHandler {
      factory.makeRecorder(label: "notify_bridge_\(name)_seconds", dimensions: [], aggregate: true)
    }
    self.factory = factory
    rowsFetched = counter("rows_fetched")
    rowsDelivered = counter("rows_delivered")
    rowsReplayed = counter("rows_replayed")
    rowsDeflated = counter("rows_deflated")
    deflateSavedBytes = counter("deflate_saved_bytes")
    rowsMarked = counter("rows_marked")
    rowsWithoutUser = counter("rows_without_user")
    rowsRepaired = counter("rows_repaired")
    doorbells = counter("doorbells")
    doorbellChanges = counter("doorbell_changes")
    doorbellStates = ["quiet", "busy", "arming"].map { state in
      (state, Gauge(label: "notify_bridge_doorbell_state", dimensions: [("state", state)], factory: factory))
    }
    safetyFinds = counter("safety_finds")
    reconnects = counter("database_reconnects")
    idsIgnored = counter("ids_ignored")
    marksDropped = counter("marks_dropped")
    activityFailures = counter("activity_failures")
    activityDropped = counter("activity_dropped")
    connects = counter("connects")
    rejects = counter("rejects")
    ready = gauge("ready")
    connections = gauge("connections")
    users = gauge("users")
    queueBytes = gauge("queue_bytes")
    marksPending = gauge("marks_pending")
    doorbellToSocket = seconds("doorbell_to_socket")
    createdToSocket = seconds("created_to_socket")
  }

  /// Shows how many rows of each table are in quarantine, by stage.
  package func quarantined(_ counts: [(stage: String, source: String, rows: Int)]) {
    quarantinedRows.withLock { gauges in
      var others = gauges
      for (stage, source, rows) in counts {
        let labels = [("stage", stage), ("source", source)]
        let name = "\(stage) \(source)"
        let gauge = gauges[name] ?? Gauge(label: "notify_bridge_quarantined_rows", dimensions: labels, factory: factory)
        gauge.record(rows)
        gauges[name] = gauge
        others[name] = nil
      }
      for gauge in others.values { gauge.record(0) }
    }
  }

  /// Shows the doorbell's state: 1 for this one, 0 for the others.
  package func doorbell(_ state: String) {
    for (name, gauge) in doorbellStates { gauge.record(name == state ? 1 : 0) }
  }
}
