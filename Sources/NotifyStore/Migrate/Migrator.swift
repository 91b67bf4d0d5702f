/// Brings the database to the schema that the program carries, and verifies it.
///
/// Invariants:
/// - All of one `apply` is one transaction: a failure leaves the database as it was.
/// - Migrators take one lock before they read the records, so each step is applied once, however many start at once.
/// - No statement finds an object of another role by its bare name: only schema `pg_catalog` is searched.
/// - Schema files are applied once, by number. Functions are replaced all together when their checksum differs, and never by
///   those of a lower version.
package struct Migrator {
  /// Names the advisory lock that migrators queue for: "NBmigrat" as ASCII.
  private static let lock = "5638894553617293684"

  private let connection: PGConnection
  private let migrations: [Migration]
  private let functions: FunctionSet

  package init(
    _ connection: PGConnection, migrations: [Migration] = Migration.all, functions: FunctionSet = .current
  ) {
    self.connection = connection
    self.migrations = migrations
    self.functions = functions
  }

  /// All steps and their state.
  ///
  /// - Parameter ownTable: whether `public.notification` is among them.
  /// - Throws: `schema` where the database is newer than this program, or was migrated by something else.
  package func status(ownTable: Bool = true) throws(StoreError) -> [MigrationStatus] {
    let installed = try InstalledSchema(connection, migrations, functions)
    var status: [MigrationStatus] = []
    for migration in migrations {
      let state = installed.migrations[migration.version].map { MigrationStatus.State.applied(at: $0) }
      status.append(MigrationStatus(step: .schema(migration), state: state ?? .missing))
    }
    status.append(MigrationStatus(step: .functions(functions), state: state(of: installed.functions)))
    if ownTable {
      status.append(MigrationStatus(step: .ownTable, state: try ownTableState(isNew: installed.migrations.isEmpty)))
    }
    return status
  }

  /// Applies everything that is missing, in one transaction.
  ///
  /// Others that migrate at the same time wait, and then find nothing to do.
  ///
  /// - Parameters:
  ///   - dryRun: only reports what would be applied.
  ///   - ownTable: whether to make `public.notification` where it is missing.
  /// - Returns: the applied steps, in order.
  /// - Throws: `schema` also where nothing is applied yet and the schema belongs to a stranger.
  package func apply(
    dryRun: Bool = false, ownTable: Bool = true, timeout: Duration = .seconds(600)
  ) throws(StoreError) -> [MigrationStep] {
    if dryRun { return try pending(ownTable) }
    do {
      // With an older snapshot, the wait for the lock would end with the records as they were before it.
      try connection.query("BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL search_path = pg_catalog, pg_temp")
      try connection.query("SELECT pg_advisory_xact_lock(\(Self.lock))", timeout: timeout)
      // Functions may be defined in any order.
      try connection.query("SET LOCAL client_min_messages = error; SET LOCAL check_function_bodies = off")
      let steps = try pending(ownTable)
      for step in steps { try perform(step, timeout) }
      try connection.query("COMMIT", timeout: timeout)
      return steps
    } catch {
      if connection.isConnected { _ = try? connection.query("ROLLBACK") }
      throw error
    }
  }

  /// Verifies that schema and functions are exactly those of this program.
  ///
  /// - Throws: `schema`, with the command to run.
  package func verify() throws(StoreError) {
    let missing = try status(ownTable: false).filter(\.isPending)
    guard let first = missing.first else { return }
    let message =
      switch first.step {
      case .schema:
        missing.count > migrations.count
          ? "the database has no notify_bridge schema" : "the database's schema is older than this program"
      case .functions, .ownTable: "the database's functions are not those of this program (\(first))"
      }
    throw StoreError(.schema, message: message, hint: "Run: notify-bridge migrate (as the owner of the database)")
  }

  private func pending(_ ownTable: Bool) throws(StoreError) -> [MigrationStep] {
    let steps = try status(ownTable: ownTable).filter(\.isPending).map(\.step)
    if let first = migrations.first, steps.first == .schema(first) { try requireOwnSchema() }
    return steps
  }

  /// Requires that the schema is absent, or belongs to this role or to one that this role is a member of.
  ///
  /// Its owner can replace everything in it. A superuser is a member of every role, so its schema has to be a superuser's.
  private func requireOwnSchema() throws(StoreError) {
    let strangers = try connection.query(
      """
      SELECT owner.rolname, me.rolname
      FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_roles AS owner ON owner.oid = n.nspowner
      CROSS JOIN pg_catalog.pg_roles AS me
      WHERE n.nspname = 'notify_bridge' AND me.rolname = current_user
        AND NOT CASE WHEN me.rolsuper THEN owner.rolsuper ELSE pg_catalog.pg_has_role(owner.oid, 'MEMBER') END
      """)
    guard let row = strangers.first, let owner = row[0], let role = row[1] else { return }
    throw StoreError(
      .schema, message: "schema notify_bridge exists already and belongs to role \(owner)",
      hint: "Drop it, or run migrate as its owner, or give it away: "
        + "ALTER SCHEMA notify_bridge OWNER TO \"\(role.replacing("\"", with: "\"\""))\"")
  }

  private func state(of installed: InstalledSchema.Functions?) -> MigrationStatus.State {
    guard let installed else { return .missing }
    return installed.checksum == functions.checksum
      ? .applied(at: installed.appliedAt) : .different(version: installed.version, at: installed.appliedAt)
  }

  private func ownTableState(isNew: Bool) throws(StoreError) -> MigrationStatus.State {
    let own = isNew ? [] : try connection.query("SELECT attached_at FROM notify_bridge.source WHERE is_own")
    if let row = own.first { return .applied(at: row[0] ?? "") }
    let foreign = try connection.query("SELECT pg_catalog.to_regclass('public.notification') IS NOT NULL")
    return foreign.first?.first == "t" ? .foreign : .missing
  }

  private func perform(_ step: MigrationStep, _ timeout: Duration) throws(StoreError) {
    switch step {
    case .schema(let migration):
      try run(migration.sql, of: "migration \(migration.title)", timeout)
      try connection.query(
        "INSERT INTO notify_bridge.migration (version, name, checksum) VALUES ($1::integer, $2, $3)",
        [String(migration.version), migration.name, migration.checksum])
    case .functions(let functions):
      for file in functions.files { try run(file.sql, of: "functions \(file.path)", timeout) }
      try run(FunctionSet.finish, of: "functions \(functions.version)", timeout)
      try connection.query(
        """
        INSERT INTO notify_bridge.functions (version, checksum) VALUES ($1::integer, $2)
        ON CONFLICT (version) DO UPDATE SET checksum = excluded.checksum, applied_at = excluded.applied_at
        """, [String(functions.version), functions.checksum])
    case .ownTable:
      try run("SELECT notify_bridge.create_own_table()", of: "public.notification", timeout)
    }
  }

  private func run(_ sql: String, of step: String, _ timeout: Duration) throws(StoreError) {
    do {
      try connection.query(sql, timeout: timeout)
    } catch {
      throw StoreError(
        error.code, sqlstate: error.sqlstate, message: "\(step): \(error.message)", hint: error.hint,
        isRetriable: error.isRetriable)
    }
  }
}
