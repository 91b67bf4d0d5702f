import NotifyStore

/// Checks that the trigger for changed rows fires on each served table, partitions included.
struct RenewalCheck {
  private static let statement: Duration = .milliseconds(1_500)

  let connection: PGConnection

  /// Warns once for each table.
  func run(_ report: inout CheckReport) throws {
    let rows = try connection.query(
      """
      SELECT DISTINCT ON (s.number) pg_catalog.format('%I.%I', rn.nspname, r.relname),
        pg_catalog.format('%I.%I', n.nspname, c.relname), g.oid IS NOT NULL
      FROM notify_bridge.source AS s
      JOIN pg_class AS r ON r.oid = s.relation::oid JOIN pg_namespace AS rn ON rn.oid = r.relnamespace
      CROSS JOIN LATERAL (SELECT p.relid::oid FROM pg_catalog.pg_partition_tree(r.oid) AS p UNION SELECT r.oid) AS t (relid)
      JOIN pg_class AS c ON c.oid = t.relid JOIN pg_namespace AS n ON n.oid = c.relnamespace
      LEFT JOIN pg_trigger AS g ON g.tgrelid = t.relid AND g.tgname = 'notify_bridge_renew'
      WHERE coalesce(g.tgenabled NOT IN ('O', 'A'), true)
      ORDER BY s.number, t.relid <> r.oid, t.relid
      """, timeout: Self.statement)
    for row in rows {
      guard let table = row[0], let place = row[1] else { continue }
      let isThere = row[2] == "t"
      report.warn(
        "triggers",
        "notify_bridge_renew of \(place) is \(isThere ? "disabled" : "missing"), so a row whose recipient is changed is "
          + "not delivered again",
        "As its owner: "
          + (isThere ? "ALTER TABLE \(place) ENABLE TRIGGER notify_bridge_renew" : "notify-bridge attach \(table)"))
    }
  }
}
