internal import NotifyCore

/// The one statement that writes presence and the logs.
struct ActivityStatement {
  /// What is recorded; each fails by itself.
  enum ActivityPart: String, CaseIterable {
    case presence
    case connectionLog = "connection log"
    case deliveryLog = "delivery log"
  }

  /// The bridge as it is recorded.
  struct Recorder {
    /// `notify_bridge.recorder.id`; nil before the first statement.
    var id: String?
    /// `notify_bridge.replica.id`.
    var replica: String
    var logsDeliveries: Bool
  }

  /// Its result's first columns are the recorder's number and whether it is new.
  private(set) var sql = ""
  private(set) var parameters: [String?] = []

  init(_ batch: ActivityNotes.ActivityBatch, by recorder: Recorder) {
    parameters = [recorder.id, recorder.replica, recorder.logsDeliveries ? "true" : "false"]
    var calls = ["r.id", "r.is_new"]
    func call(_ function: String, _ types: [String], _ values: [String?]) {
      let first = parameters.count + 1
      let arguments = types.enumerated().map { "$\(first + $0.offset)::\($0.element)" }
      calls.append("notify_bridge.\(function)(r.id, \(arguments.joined(separator: ", ")))")
      parameters += values
    }
    if !batch.presence.isEmpty {
      let users = batch.presence.users
      call(
        "record_presence", ["boolean", "text[]", "integer[]", "bigint[]", "bigint[]"],
        [
          batch.presence.isWhole ? "true" : "false", SQLArray.text(users.map(\.user.text)),
          SQLArray.integers(users.map(\.devices)), SQLArray.integers(users.map(\.since)),
          SQLArray.integers(users.map(\.at)),
        ])
    }
    if !batch.connections.isEmpty {
      let rows = batch.connections
      call(
        "record_connections",
        [
          "bigint[]", "text[]", "text[]", "text[]", "text[]", "bigint[]", "bigint[]", "integer[]", "text[]", "bigint[]",
          "bigint[]",
        ],
        [
          SQLArray.integers(rows.map(\.number)), SQLArray.text(rows.map(\.user.text)),
          SQLArray.text(rows.map(\.address)), SQLArray.text(rows.map(\.userAgent)),
          SQLArray.text(rows.map { _ in "websocket" }), SQLArray.integers(rows.map(\.opened)),
          SQLArray.integers(rows.map { $0.end?.at }), SQLArray.integers(rows.map { $0.end.map { Int64($0.code) } }),
          SQLArray.text(rows.map { $0.end?.closedBy }), SQLArray.integers(rows.map { $0.end?.rows ?? 0 }),
          SQLArray.integers(rows.map { $0.end?.bytes ?? 0 }),
        ])
    }
    if !batch.deliveries.isEmpty {
      let rows = batch.deliveries
      call(
        "record_deliveries", ["integer[]", "text[]", "bigint[]", "text[]", "integer[]"],
        [
          SQLArray.integers(rows.map(\.row.table)), SQLArray.text(rows.map(\.row.id.sqlText)),
          SQLArray.integers(rows.map(\.at)), SQLArray.text(rows.map(\.event.rawValue)),
          SQLArray.integers(rows.map(\.devices)),
        ])
    }
    sql = """
      SELECT \(calls.joined(separator: ", "))
      FROM notify_bridge.touch_recorder($1::integer, $2::integer, $3::boolean) AS r
      """
  }
}

extension ActivityNotes.ActivityBatch {
  /// The parts that there are notes of.
  var parts: [ActivityStatement.ActivityPart] {
    var parts: [ActivityStatement.ActivityPart] = []
    if !presence.isEmpty { parts.append(.presence) }
    if !connections.isEmpty { parts.append(.connectionLog) }
    if !deliveries.isEmpty { parts.append(.deliveryLog) }
    return parts
  }

  /// These parts alone.
  func only(_ parts: [ActivityStatement.ActivityPart]) -> ActivityNotes.ActivityBatch {
    var batch = ActivityNotes.ActivityBatch()
    if parts.contains(.presence) { batch.presence = presence }
    if parts.contains(.connectionLog) { batch.connections = connections }
    if parts.contains(.deliveryLog) { batch.deliveries = deliveries }
    return batch
  }

  /// Leaves out what the server can't hold: PostgreSQL's text has no NUL, and other encodings lack characters.
  ///
  /// - Returns: how many entries were left out.
  mutating func dropUnstorable(isUTF8: Bool) -> Int {
    func isStorable(_ text: String) -> Bool { text.utf8.allSatisfy { $0 != 0 && (isUTF8 || $0 < 0x80) } }
    let before = presence.users.count + connections.count + deliveries.count
    presence.users.removeAll { !isStorable($0.user.text) }
    connections.removeAll { !isStorable($0.user.text) || !isStorable($0.address) }
    if !isUTF8 {
      connections = connections.map { record in
        guard let agent = record.userAgent, !isStorable(agent) else { return record }
        return ConnectionRecord(
          number: record.number, user: record.user, address: record.address,
          userAgent: String(String.UnicodeScalarView(agent.unicodeScalars.map { $0.isASCII ? $0 : "?" })),
          opened: record.opened, end: record.end)
      }
    }
    deliveries.removeAll { !isStorable($0.row.id.sqlText) }
    return before - presence.users.count - connections.count - deliveries.count
  }
}
