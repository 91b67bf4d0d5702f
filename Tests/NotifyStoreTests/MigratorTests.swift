import Foundation
import NotifyCore
import Testing

@testable import NotifyStore

@Suite("The migrations")
struct MigratorTests {
  let cluster: TestCluster

  init() throws { cluster = try TestCluster() }

  @Test("carried in the binary are those of the folder, in order and without gaps")
  func complete() throws {
    let files = try FileManager.default.contentsOfDirectory(atPath: SQLFolder.path("schema")).sorted()
    #expect(Migration.all.map { $0.title + ".sql" } == files)
    #expect(Migration.all.map(\.version) == Array(1...files.count))
    for migration in Migration.all {
      #expect(migration.sql == (try SQLFolder.text("schema/\(migration.title).sql")))
    }
  }

  @Test("are each applied once, whoever else migrates at the same time")
  func concurrent() async throws {
    try cluster.connect().query("CREATE DATABASE concurrent")
    let url = cluster.url.exposed.replacing(/\/postgres$/, with: "/concurrent")
    let applied = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<6 {
        group.addTask {
          let connection = try PGConnection.connect(url: .init(url), applicationName: "test", timeout: .seconds(10))
          try connection.useSearchPathOfRole()
          return try Migrator(connection).apply().count
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(applied.sorted() == [0, 0, 0, 0, 0, Migration.all.count + 2])
  }

  @Test("say what would be applied without applying it, and verify what is there")
  func dryRun() throws {
    let connection = try cluster.connect()
    let migrator = Migrator(connection)
    #expect(throws: StoreError.self) { try migrator.verify() }
    let steps = Migration.all.map(MigrationStep.schema) + [.functions(.current), .ownTable]
    #expect(try migrator.apply(dryRun: true) == steps)
    #expect(try migrator.status().allSatisfy { $0.state == .missing })
    #expect(try migrator.apply() == steps)
    try migrator.verify()
    #expect(try migrator.apply(dryRun: true).isEmpty)
    #expect(try migrator.apply().isEmpty)
    #expect(try migrator.status().map(\.step) == steps)
    #expect(try migrator.status().allSatisfy { !$0.isPending && $0.description.contains("  applied 20") })
  }

  @Test("refuse a newer schema, and one that was applied with another text")
  func foreignSchemas() throws {
    let connection = try cluster.connect()
    _ = try Migrator(connection).apply()
    try connection.query(
      "INSERT INTO notify_bridge.migration (version, name, checksum) VALUES (9999, 'later', 'x')")
    let newer = #expect(throws: StoreError.self) { try Migrator(connection).verify() }
    #expect(newer?.code == .schema && newer?.message.contains("newer") == true && newer?.hint.isEmpty == false)
    try connection.query("DELETE FROM notify_bridge.migration WHERE version = 9999")
    try connection.query("UPDATE notify_bridge.migration SET checksum = 'x' WHERE version = 1")
    let changed = #expect(throws: StoreError.self) { _ = try Migrator(connection).apply() }
    #expect(changed?.code == .schema)
    #expect(
      changed?.message == "checksum mismatch: migration 0001_initial in the database differs from this binary's")
  }

  @Test("use no function and no operator that another role has planted in the search path")
  func planted() throws {
    let connection = try cluster.connect()
    try connection.useSearchPathOfRole()
    try connection.query(
      """
      CREATE ROLE planter; GRANT CREATE ON SCHEMA public TO planter; SET ROLE planter;
      CREATE FUNCTION public.planted(oid, regnamespace) RETURNS boolean LANGUAGE plpgsql AS
        $$ BEGIN RAISE 'planted, as %', current_user; END $$;
      CREATE OPERATOR public.= (FUNCTION = public.planted, LEFTARG = oid, RIGHTARG = regnamespace);
      RESET ROLE
      """)
    #expect(throws: StoreError.self) {
      try connection.query("SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace")
    }
    let path = try connection.query("SHOW search_path")
    #expect(try Migrator(connection).apply().count == Migration.all.count + 2)
    #expect(try connection.query("SHOW search_path") == path)
  }

  @Test("refuse a schema that a stranger has made, and accept one of a role that the migrating role is a member of")
  func strangersSchema() throws {
    let superuser = try cluster.connect()
    try superuser.query(
      """
      CREATE ROLE stranger; CREATE ROLE team; CREATE ROLE migrator LOGIN; GRANT team TO migrator;
      GRANT CREATE ON DATABASE postgres TO stranger, migrator; GRANT CREATE ON SCHEMA public TO migrator;
      CREATE SCHEMA notify_bridge AUTHORIZATION stranger; GRANT ALL ON SCHEMA notify_bridge TO PUBLIC
      """)
    let url = cluster.url.exposed.replacing("postgres@", with: "migrator@")
    let member = try PGConnection.connect(url: .init(url), applicationName: "test", timeout: .seconds(10))
    try member.useSearchPathOfRole()
    for connection in [superuser, member] {
      for dryRun in [true, false] {
        let error = #expect(throws: StoreError.self) { _ = try Migrator(connection).apply(dryRun: dryRun) }
        #expect(error?.code == .schema && error?.hint.isEmpty == false)
        #expect(error?.message == "schema notify_bridge exists already and belongs to role stranger")
      }
    }
    #expect(try superuser.query("SELECT to_regclass('notify_bridge.migration') IS NULL") == [["t"]])
    try superuser.query("ALTER SCHEMA notify_bridge OWNER TO team")
    #expect(throws: StoreError.self) { _ = try Migrator(superuser).apply() }
    #expect(try Migrator(member).apply().count == Migration.all.count + 2)
  }

  @Test("leave nothing behind when one fails")
  func failing() throws {
    let connection = try cluster.connect()
    try connection.query("CREATE SCHEMA notify_bridge; CREATE TABLE notify_bridge.replica (id integer)")
    let error = #expect(throws: StoreError.self) { _ = try Migrator(connection).apply() }
    #expect(error?.message.contains("0001_initial") == true && error?.sqlstate == "42P07")
    try connection.query("DROP TABLE notify_bridge.replica")
    #expect(try Migrator(connection).apply().count == Migration.all.count + 2)
  }

  @Test("leave nothing behind when the last step fails, and apply a further file to what is there")
  func failingLate() throws {
    let connection = try cluster.connect()
    let next = Migration(
      version: Migration.all.count + 1, name: "next", sql: "CREATE TABLE notify_bridge.next (id integer)")
    let bad = FunctionSet(version: 9, files: FunctionSet.current.files + [.init(path: "bad", sql: "SELECT 1 / 0")])
    let error = #expect(throws: StoreError.self) {
      _ = try Migrator(connection, migrations: Migration.all + [next], functions: bad).apply()
    }
    #expect(error?.message.hasPrefix("functions bad: ") == true && error?.sqlstate == "22012")
    #expect(try connection.query("SELECT FROM pg_namespace WHERE nspname = 'notify_bridge'").isEmpty)
    #expect(try connection.query("SELECT to_regclass('public.notification') IS NULL") == [["t"]])

    _ = try Migrator(connection).apply()
    let migrator = Migrator(connection, migrations: Migration.all + [next])
    let older = #expect(throws: StoreError.self) { try migrator.verify() }
    #expect(older?.message.contains("older") == true && older?.hint.contains("notify-bridge migrate") == true)
    #expect(try migrator.apply() == [.schema(next)])
    #expect(throws: StoreError.self) { _ = try Migrator(connection).apply() }
  }

  @Test("make public.notification unless it is not wanted, or another table has its name")
  func ownTable() throws {
    let connection = try cluster.connect()
    let exists = "SELECT to_regclass('public.notification') IS NOT NULL"
    _ = try Migrator(connection).apply(ownTable: false)
    #expect(try connection.query(exists) == [["f"]])
    #expect(try Migrator(connection).apply(ownTable: false).isEmpty)
    #expect(try Migrator(connection).apply() == [.ownTable])
    #expect(try connection.query(exists) == [["t"]])
    try connection.query("SELECT notify_bridge.detach('public.notification')")
    #expect(try connection.query(exists) == [["f"]])
    try connection.query("CREATE TABLE public.notification (id integer)")
    #expect(try Migrator(connection).status().last?.state == .foreign)
    #expect(try Migrator(connection).apply().isEmpty)
  }

  @Test("refuse a database that a build from before the first release migrated, and give the SQL that starts anew")
  func beforeFirstRelease() throws {
    let connection = try cluster.connect()
    let names = ["schema", "replica", "doorbell", "notification", "operations", "sources", "attach", "logins", "bell"]
    try connection.query(
      """
      CREATE SCHEMA notify_bridge;
      CREATE TABLE notify_bridge.migration (
        version integer CONSTRAINT migration_pkey PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now());
      CREATE TABLE notify_bridge.source (relation regclass, is_own boolean);
      CREATE FUNCTION notify_bridge.detach(regclass) RETURNS text LANGUAGE sql AS 'SELECT NULL::text';
      CREATE TABLE public.notification (id integer);
      """)
    for (index, name) in names.enumerated() {
      try connection.query(
        "INSERT INTO notify_bridge.migration (version, name, checksum) VALUES ($1::integer, $2, md5($2))",
        [String(index + 1), name])
    }
    for attempt in [{ try Migrator(connection).verify() }, { _ = try Migrator(connection).apply() }] {
      let error = #expect(throws: StoreError.self) { try attempt() }
      #expect(error?.code == .schema && error?.message.contains("before the first release") == true)
    }
    let error = #expect(throws: StoreError.self) { _ = try Migrator(connection).status() }
    let statements = (error?.hint.split(separator: "\n") ?? []).filter { $0.hasPrefix("  ") }
    #expect(statements.count == 3)
    for statement in statements { try connection.query(String(statement)) }
    #expect(try Migrator(connection).apply().count == Migration.all.count + 2)
  }
}
