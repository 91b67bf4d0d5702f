import NotifyStore

/// Checks each served table. Writes no row.
struct TableChecks {
  private static let statement: Duration = .milliseconds(1_500)

  let connection: PGConnection

  /// Checks all of them.
  func run(_ report: inout CheckReport) throws {
    let survey = try TableSurvey(connection)
    if survey.isEmpty {
      return report.fail(
        "tables", "no table is served: public.notification existed before `migrate` and isn't ours",
        "Attach it, or another one: notify-bridge attach public.notification")
    }
    for problem in survey.problems {
      report.fail("tables", "not served: \(problem)", "Fix it or attach it again; detach forgets it")
    }
    for problem in survey.unmarkable {
      report.fail("tables", "rows can't be marked: \(problem)", "Until they can, they are sent again at each connect")
    }
    for notice in survey.notices {
      report.fail("tables", "renamed: \(notice)", "Attach the other table, or detach this one")
    }
    if survey.problems.isEmpty {
      report.ok("tables", "served: \(survey.served.map(\.relation).joined(separator: ", "))")
    }
    try checkTriggers(&report)
    try RenewalCheck(connection: connection).run(&report)
    try checkForeignRows(of: survey.served, &report)
  }

  /// Reports rows of other clusters, and tables where such rows would be missed.
  private func checkForeignRows(of tables: [TableMapping], _ report: inout CheckReport) throws {
    let incomplete = try connection.query(
      """
      SELECT v.name FROM notify_bridge.served AS v
      WHERE v.name IS NOT NULL AND 3 > (
        SELECT count(*) FROM pg_trigger AS g JOIN pg_proc AS p ON p.oid = g.tgfoid
        JOIN pg_namespace AS n ON n.oid = p.pronamespace
        WHERE g.tgrelid = v.relation AND n.nspname = 'notify_bridge' AND (p.proname::text, g.tgenabled::text) IN (
          ('write_txid', 'A'), ('ring_replicated', 'R'), ('keep_' || v.number, 'R')))
      ORDER BY 1
      """, timeout: Self.statement)
    for row in incomplete {
      let table = row[0] ?? ""
      report.warn(
        "clusters", "\(table) lacks a trigger for rows of a restored dump or of logical replication",
        "As its owner: notify-bridge attach \(table)")
    }
    for table in tables {
      let found = try connection.query(
        """
        SELECT EXISTS (SELECT FROM \(table.relation) AS n
          WHERE n.\(TableMapping.quoted(table.txid)) >= pg_snapshot_xmax(pg_current_snapshot()))
        """, timeout: Self.statement)
      if found[0][0] == "t" {
        report.warn(
          "clusters", "\(table.relation) has rows with transaction ids of another cluster, which are not delivered",
          "A running bridge repairs them within seconds; by hand, SELECT notify_bridge.repair_txids()")
      }
    }
  }

  /// Reports the worst trigger of each table, partitions included.
  ///
  /// Behind a pooler the session's own settings hold: a statement of high estimated cost would be compiled for seconds.
  private func checkTriggers(_ report: inout CheckReport) throws {
    let rows = try connection.query(
      """
      WITH triggers AS (
        SELECT DISTINCT ON (s.number, t.relid) pg_catalog.format('%I.%I', n.nspname, c.relname) AS name, s.is_own,
          c.oid AS relation, t.relid, g.tgenabled AS enabled
        FROM notify_bridge.source AS s
        JOIN pg_class AS c ON c.oid = s.relation::oid JOIN pg_namespace AS n ON n.oid = c.relnamespace
        CROSS JOIN LATERAL (SELECT p.relid::oid FROM pg_catalog.pg_partition_tree(c.oid) AS p UNION SELECT c.oid) AS t (relid)
        LEFT JOIN pg_trigger AS g ON g.tgrelid = t.relid AND g.tgfoid = 'notify_bridge.ring()'::regprocedure
        ORDER BY s.number, t.relid, g.tgenabled
      )
      SELECT g.name, g.is_own, pg_catalog.format('%I.%I', n.nspname, c.relname), g.relid = g.relation, g.enabled,
        count(*) OVER (PARTITION BY g.relation, g.enabled)
      FROM triggers AS g JOIN pg_class AS c ON c.oid = g.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace
      ORDER BY g.name, coalesce(g.enabled = 'A', false), g.relid <> g.relation, g.relid
      """, timeout: Self.statement)
    var reported: Set<String> = []
    for row in rows {
      guard let table = row[0], reported.insert(table).inserted else { continue }
      let worst = Trigger(
        table: table, isOwn: row[1] == "t", place: row[2] ?? table, isRoot: row[3] == "t", enabled: row[4],
        count: row[5].flatMap { Int($0) } ?? 1)
      worst.add(to: &report)
    }
  }

  /// The worst of a table's triggers.
  private struct Trigger {
    let table: String
    let isOwn: Bool
    /// The table itself, or a partition.
    let place: String
    let isRoot: Bool
    let enabled: String?
    /// The number of triggers like it.
    let count: Int

    func add(to report: inout CheckReport) {
      let enable = "ALTER TABLE \(place) ENABLE ALWAYS TRIGGER notify_bridge_ring"
      let others = count > 1 ? " and \(count - 1) more" : ""
      switch enabled {
      case "A":
        report.ok("doorbell", "the trigger of \(table) rings always\(count > 1 ? ", on each of \(count) tables" : "")")
      case nil where !isRoot:
        report.warn(
          "doorbell",
          "partition \(place)\(others) of \(table) has no trigger, so rows inserted straight into it come seconds late",
          "As its owner: notify-bridge attach \(table)")
      case nil:
        report.fail(
          "doorbell", "\(table) has no trigger, so its rows come seconds late",
          isOwn
            ? "As its owner: CREATE TRIGGER notify_bridge_ring AFTER INSERT ON \(place) FOR EACH STATEMENT "
              + "EXECUTE FUNCTION notify_bridge.ring(); then the line that follows for ENABLE ALWAYS: \(enable)"
            : "As its owner: notify-bridge attach \(table)")
      case "D", "R":
        report.fail(
          "doorbell", "the trigger of \(place)\(others) is disabled, so its rows come seconds late",
          "As its owner: \(enable)")
      default:
        report.warn(
          "doorbell", "the trigger of \(place)\(others) is silent for rows of replication", "As its owner: \(enable)")
      }
    }
  }
}
