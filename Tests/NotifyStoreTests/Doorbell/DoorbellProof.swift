import NotifyCore
import TestSupport
import Testing

@testable import NotifyStore

/// Bridges whose doorbells change as often as they can, beside writers of every kind, until enough has happened; then an
/// account of every row at every bridge.
struct DoorbellProof {
  /// What one round came to.
  struct Report {
    var changes = 0
    var killed: (armed: Int, disarmed: Int) = (0, 0)
    var rows = 0
    /// Rows that a bridge saw first while it relied on the doorbell.
    var seenQuiet = 0
    /// What must not be, in words.
    var faults: [String] = []

    static func += (left: inout Report, right: Report) {
      left.changes += right.changes
      left.killed.armed += right.killed.armed
      left.killed.disarmed += right.killed.disarmed
      left.rows += right.rows
      left.seenQuiet += right.seenQuiet
      left.faults += right.faults
    }
  }

  let url: Secret
  let replicas: Int
  let writers: Int
  let isTwoPhase: Bool

  /// Changes at each transaction, and back without any delay; never looks without being rung for.
  private var doorbell: DoorbellSettings {
    var settings = DoorbellSettings(busyRate: 1, quietAfter: .zero, poll: .milliseconds(1), twoPhaseWriters: isTwoPhase)
    settings.calmRate = .infinity
    settings.window = .zero
    settings.changeInterval = .milliseconds(4)
    settings.safetyInterval = .seconds(3_600)
    return settings
  }

  /// One round.
  ///
  /// - Parameter changes: how many changes of all bridges together end it.
  func round(changes: Int) async throws -> Report {
    let bells = try BellRecorder(url)
    let stop = StopFlag()
    let kinds = Writer.Kind.allCases.filter { isTwoPhase || $0 != .silent }
    let writers = try (1...self.writers).map { try Writer(url, name: "writer\($0)", kinds: kinds, stop: stop) }
    let bridges = try (1...replicas).map { try Replica(url, name: "bridge\($0)", doorbell: doorbell) }
    let killer = try Killer(url)
    var report = Report()
    try await withThrowingTaskGroup(of: Void.self) { running in
      for bridge in bridges { running.addTask { await #expect(throws: Never.self) { try await bridge.run() } } }
      try await withThrowingTaskGroup(of: Void.self) { writing in
        for writer in writers { writing.addTask { try await writer.run() } }
        while bridges.reduce(0, { $0 + $1.changes }) < changes {
          try Task.checkCancellation()
          if let wasArmed = try await killer.kill() {
            if wasArmed { report.killed.armed += 1 } else { report.killed.disarmed += 1 }
          }
        }
        stop.set()
        try await writing.waitForAll()
      }
      // All that was committed before is seen once this is.
      let last = try await killer.closingRow()
      for bridge in bridges { await bridge.see(last.id) }
      let rung = try await bells.heard(until: last.txid)
      try await account(bridges, rung, &report)
      running.cancelAll()
    }
    report.changes = bridges.reduce(0) { $0 + $1.changes }
    return report
  }

  private func account(_ bridges: [Replica], _ rung: Set<UInt64>, _ report: inout Report) async throws {
    let connection = try PGConnection.connect(url: url, applicationName: "account", timeout: .seconds(10))
    try connection.useSearchPathOfRole()
    let texts = try connection.query("SELECT txid::text, id, data #>> '{}' FROM public.notification")
    var rows: [RowKey: String] = [:]
    for text in texts {
      guard let txid = text[0].flatMap({ UInt64($0) }), let id = text[1].flatMap({ Int64($0) }) else { continue }
      rows[RowKey(txid: txid, id: id)] = text[2] ?? ""
    }
    for (number, bridge) in bridges.enumerated() {
      let sightings = bridge.sightings
      let seen = Set(sightings.map(\.key))
      let missing = rows.filter { bridge.mustHaveSeen($0.key.txid) && !seen.contains($0.key) }
      let unrung = sightings.filter {
        $0.isQuiet && !rung.contains($0.key.txid) && rows[$0.key] != "\(Writer.Kind.silent)"
      }
      report.seenQuiet += sightings.count { $0.isQuiet }
      report.rows += sightings.count
      if seen.count != sightings.count {
        report.faults.append("bridge \(number): \(sightings.count - seen.count) twice")
      }
      if !missing.isEmpty { report.faults.append("bridge \(number): \(missing.count) missing") }
      if !seen.isSubset(of: rows.keys) { report.faults.append("bridge \(number): rows that nobody committed") }
      if !unrung.isEmpty {
        let kinds = Set(unrung.compactMap { rows[$0.key] }).sorted().joined(separator: ", ")
        report.faults.append("bridge \(number): \(unrung.count) seen while quiet and not rung for: \(kinds)")
      }
    }
  }
}

/// Ends sessions of bridges, as a crash of theirs does.
actor Killer {
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  private nonisolated let thread = DedicatedThread(name: "killer")
  private let connection: PGConnection

  init(_ url: Secret) throws {
    connection = try PGConnection.connect(url: url, applicationName: "killer", timeout: .seconds(10))
    try connection.useSearchPathOfRole()
  }

  /// Ends one after a while.
  ///
  /// - Returns: whether it was armed; nil where there was none.
  func kill() throws -> Bool? {
    try connection.query("SELECT pg_sleep(0.3)")
    let rows = try connection.query(
      """
      SELECT r.armed FROM notify_bridge.replica AS r JOIN pg_stat_activity AS a ON a.pid = r.backend_pid
      ORDER BY random() LIMIT 1
      """)
    guard let armed = rows.first?[0] else { return nil }
    try connection.query(
      """
      SELECT pg_terminate_backend(r.backend_pid) FROM notify_bridge.replica AS r
      JOIN pg_stat_activity AS a ON a.pid = r.backend_pid
      WHERE r.armed = $1::boolean ORDER BY random() LIMIT 1
      """, [armed])
    return armed == "t"
  }

  /// A row after all others, which rings whether anybody is armed or not.
  func closingRow() throws -> RowKey {
    let row = try connection.query(
      """
      WITH row AS (INSERT INTO public.notification (user_id, data) VALUES (1, '"last"') RETURNING txid::text, id)
      SELECT txid, id, pg_notify('notify_bridge', txid) FROM row
      """)[0]
    return RowKey(txid: row[0].flatMap { UInt64($0) } ?? 0, id: row[1].flatMap { Int64($0) } ?? 0)
  }
}
