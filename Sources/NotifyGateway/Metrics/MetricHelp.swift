/// The meaning of each metric, for the HELP lines.
enum MetricHelp {
  private static let texts = [
    "build_info": "Always 1; the version stands in the label.",
    "rows_fetched_total": "Rows read from the table by deltas.",
    "rows_delivered_total": "Rows written to a socket as they came, counted for each device.",
    "rows_replayed_total": "Rows written to a socket by a replay.",
    "rows_deflated_total": "Rows compressed, once for all devices of an event loop; each time for a replay.",
    "deflate_saved_bytes_total": "Bytes that compression kept off the sockets.",
    "rows_marked_total": "Rows marked sent.",
    "rows_without_user_total": "Rows read that have no recipient.",
    "rows_repaired_total": "Rows of another cluster that were given a transaction of this one.",
    "doorbells_total": "Notifications from the database.",
    "doorbell_changes_total": "Changes between ringing and not ringing.",
    "doorbell_state": "1 for the state that the doorbell is in: quiet, busy or arming.",
    "safety_finds_total": "Fetches without doorbell that found rows with none: must stay 0.",
    "database_reconnects_total": "Listening connections that were lost and came back in the same history.",
    "ids_ignored_total":
      "Acknowledged ids not sent on the connection, read ids that changed no row, and dropped read receipts.",
    "marks_dropped_total": "Written rows whose marking was given up: they are sent again.",
    "activity_failures_total": "Statements for presence and the logs that failed, at least in part.",
    "activity_dropped_total": "Rows of the logs that were dropped, and users whose presence can't be written.",
    "connects_total": "Sockets that got connection_established.",
    "rejects_total": "Connects that were refused.",
    "ready": "1 while /readyz answers 200, else 0.",
    "connections": "Sockets open now.",
    "users": "Users with at least one socket now.",
    "queue_bytes": "Bytes of rows waiting in the sockets' queues.",
    "marks_pending": "Rows written to sockets and not yet marked.",
    "quarantined_rows": "Rows set aside because they can't be read, marked or purged.",
    "doorbell_to_socket_seconds": "Seconds from the doorbell until the kernel took the row.",
    "created_to_socket_seconds": "Seconds from the row's created_at until the kernel took it.",
    "process_cpu_seconds_total": "Seconds of processor time, user and system.",
    "process_max_fds": "Files and sockets that the process may have open.",
    "process_open_fds": "Files and sockets that the process has open.",
    "process_resident_memory_bytes": "Bytes of memory in use.",
    "process_start_time_seconds": "When the process was started, in seconds since 1970.",
    "process_virtual_memory_bytes": "Bytes of address space in use.",
  ]

  /// One line; other metrics get their own name.
  static func text(of name: String) -> String {
    let prefix = "notify_bridge_"
    return texts[name.hasPrefix(prefix) ? String(name.dropFirst(prefix.count)) : name] ?? name
  }
}
