/// The schema as the database records it: read by every program that connects, compared with the one it carries.
struct InstalledSchema {
  /// The functions that were applied last.
  struct Functions {
    let version: Int
    let checksum: String
    let appliedAt: String
  }

  /// When each schema file was applied, by its number.
  let migrations: [Int: String]
  let functions: Functions?

  /// Reads the records.
  ///
  /// - Throws: `schema` where the database is newer than this program, an applied schema file differs from the carried one,
  ///   or a build from before the first release migrated the database.
  init(_ connection: PGConnection, _ known: [Migration], _ carried: FunctionSet) throws(StoreError) {
    let exists = try connection.query("SELECT pg_catalog.to_regclass('notify_bridge.migration') IS NOT NULL")
    guard exists.first?.first == "t" else {
      migrations = [:]
      functions = nil
      return
    }
    let rows = try connection.query(
      "SELECT version, name, checksum, applied_at FROM notify_bridge.migration ORDER BY version")
    migrations = try Self.compared(rows, known)
    functions = migrations.isEmpty ? nil : try Self.functions(connection, carried)
  }

  private static func compared(_ rows: [[String?]], _ known: [Migration]) throws(StoreError) -> [Int: String] {
    var applied: [Int: String] = [:]
    for row in rows {
      guard let version = row[0].flatMap({ Int($0) }), let name = row[1] else { continue }
      // Its first migration had this name.
      if version == 1, name == "schema" { throw beforeFirstRelease }
      guard let migration = known.first(where: { $0.version == version }) else {
        throw StoreError(
          .schema, message: "the database's schema is newer (migration \(version), \(name)) than this program knows",
          hint: newer)
      }
      guard row[2] == migration.checksum else {
        throw StoreError(
          .schema,
          message: "checksum mismatch: migration \(migration.title) in the database differs from this binary's",
          hint: "Use the notify-bridge that migrated this database, or a newer one.")
      }
      applied[version] = row[3] ?? ""
    }
    return applied
  }

  private static func functions(
    _ connection: PGConnection, _ carried: FunctionSet
  ) throws(StoreError) -> Functions? {
    let rows = try connection.query(
      "SELECT version, checksum, applied_at FROM notify_bridge.functions ORDER BY version DESC LIMIT 1")
    guard let row = rows.first, let version = row[0].flatMap({ Int($0) }) else { return nil }
    guard version <= carried.version else {
      throw StoreError(
        .schema,
        message: "the database's functions are newer (version \(version)) than this program's (\(carried.version))",
        hint: newer)
    }
    return Functions(version: version, checksum: row[1] ?? "", appliedAt: row[2] ?? "")
  }

  private static let newer = "Use a notify-bridge at least as new as the one that migrated this database."

  private static let beforeFirstRelease = StoreError(
    .schema, message: "a build from before the first release migrated this database, and this one can't update it",
    hint: """
      Start anew, as the owner. Your own tables keep their rows:
        SELECT notify_bridge.detach(relation) FROM notify_bridge.source WHERE NOT is_own;
        DROP SCHEMA notify_bridge CASCADE;
        DROP TABLE public.notification;  -- if notify-bridge made it; ALTER TABLE ... SET SCHEMA keeps its rows
      Then run notify-bridge migrate, and notify-bridge attach for each table.
      """)
}
