/// Applies migrations: each once, in order, recorded with its checksum; safe when many start at once.
package struct Migrator {
  /// A migration and whether it was applied.
  package struct Status: Sendable, Equatable {
    package let migration: Migration
    /// When, as text of the server; nil where it is missing.
    package let appliedAt: String?
  }

  /// Names the advisory lock that migrators queue for: "NBmigrat" as ASCII.
  private static let lock = "5638894553617293684"

  private let connection: PGConnection
  private let migrations: [Migration]

  package init(_ connection: PGConnection, migrations: [Migration] = Migration.all) {
    self.connection = connection
    self.migrations = migrations
  }

  /// Which migrations were applied.
  ///
  /// - Throws: `schema` where the database is newer than this program, or an applied migration is not what it carries.
  package func status() throws(StoreError) -> [Status] {
    let applied = try applied()
    return migrations.map { Status(migration: $0, appliedAt: applied[$0.version]) }
  }

  /// Applies what is missing.
  ///
  /// Others that migrate at the same time wait, and then find nothing to do.
  ///
  /// - Returns: what was applied, or with `dryRun` what would be, in order.
  package func apply(dryRun: Bool = false, timeout: Duration = .seconds(600)) throws(StoreError) -> [Migration] {
    if dryRun {
      return try status().filter { $0.appliedAt == nil }.map(\.migration)
    }
    try connection.query("SELECT pg_advisory_lock(\(Self.lock))", timeout: timeout)
    defer { _ = try? connection.query("SELECT pg_advisory_unlock(\(Self.lock))") }
    try connection.query(
      """
      SET client_min_messages = error;
      CREATE SCHEMA IF NOT EXISTS notify_bridge;
      CREATE TABLE IF NOT EXISTS notify_bridge.migration (
        version integer CONSTRAINT migration_pkey PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now());
      SET client_min_messages = warning
      """)
    let missing = try status().filter { $0.appliedAt == nil }.map(\.migration)
    for migration in missing {
      do {
        try connection.query("BEGIN")
        try connection.query(migration.sql, timeout: timeout)
        try connection.query(
          "INSERT INTO notify_bridge.migration (version, name, checksum) VALUES ($1::integer, $2, $3)",
          [String(migration.version), migration.name, migration.checksum])
        try connection.query("COMMIT")
      } catch {
        if connection.isConnected { _ = try? connection.query("ROLLBACK") }
        throw StoreError(
          error.code, sqlstate: error.sqlstate, message: "migration \(migration.title): \(error.message)",
          hint: error.hint, isRetriable: error.isRetriable)
      }
    }
    return missing
  }

  /// That the schema is exactly what this program needs.
  ///
  /// - Throws: `schema`, saying what to do.
  package func verify() throws(StoreError) {
    let missing = try status().filter { $0.appliedAt == nil }
    guard missing.isEmpty else {
      throw StoreError(
        .schema,
        message: missing.count == migrations.count
          ? "the database has no notify_bridge schema" : "the database's schema is older than this program",
        hint: "Run: notify-bridge migrate (as the owner of the database)")
    }
  }

  private func applied() throws(StoreError) -> [Int: String] {
    let exists = try connection.query("SELECT to_regclass('notify_bridge.migration') IS NOT NULL")
    guard exists.first?.first == "t" else { return [:] }
    let rows = try connection.query(
      "SELECT version, checksum, applied_at, name FROM notify_bridge.migration ORDER BY version")
    var applied: [Int: String] = [:]
    for row in rows {
      guard let version = row[0].flatMap({ Int($0) }) else { continue }
      guard let known = migrations.first(where: { $0.version == version }) else {
        throw StoreError(
          .schema,
          message: "the database's schema is newer (migration \(version), \(row[3] ?? "")) than this program knows",
          hint: "Use a notify-bridge at least as new as the one that migrated this database.")
      }
      guard row[1] == known.checksum else {
        throw StoreError(
          .schema, message: "migration \(known.title) was applied with another text than this program carries",
          hint: "Use the notify-bridge that migrated this database, or a newer one.")
      }
      applied[version] = row[2] ?? ""
    }
    return applied
  }
}
