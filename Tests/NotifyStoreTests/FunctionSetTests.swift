import Foundation
import NotifyCore
import Testing

@testable import NotifyStore

@Suite("The functions")
struct FunctionSetTests {
  let cluster: TestCluster
  let connection: PGConnection

  init() throws {
    cluster = try TestCluster()
    connection = try cluster.connect()
  }

  /// Those of the program, with one more file and the next version.
  private func with(_ sql: String, version: Int = FunctionSet.current.version + 1) -> FunctionSet {
    FunctionSet(version: version, files: FunctionSet.current.files + [.init(path: "more", sql: sql)])
  }

  private func migrator(_ functions: FunctionSet) -> Migrator { Migrator(connection, functions: functions) }

  private func value(_ sql: String) throws -> String? { try connection.query(sql).first?.first ?? nil }

  @Test("carried in the binary are those of the folder, in the order of their paths, with the recorded checksum")
  func complete() throws {
    let files = try FileManager.default.subpathsOfDirectory(atPath: SQLFolder.path("functions"))
      .filter { $0.hasSuffix(".sql") }.sorted()
    #expect(FunctionSet.current.files.map { $0.path + ".sql" } == files)
    for file in FunctionSet.current.files {
      #expect(file.sql == (try SQLFolder.text("functions/\(file.path).sql")))
    }
    #expect(FunctionSet.recorded.version > 0)
    #expect(FunctionSet.recorded.checksum == FunctionSet.current.checksum, "run make schema")
  }

  @Test("are replaced when they differ, and those that no file holds any more are dropped")
  func replaced() throws {
    _ = try Migrator(connection).apply()
    let first = with(
      """
      CREATE OR REPLACE FUNCTION notify_bridge.more(a integer) RETURNS integer LANGUAGE sql AS 'SELECT 1';
      CREATE OR REPLACE FUNCTION notify_bridge.gone() RETURNS integer LANGUAGE sql AS 'SELECT 1';
      CREATE OR REPLACE PROCEDURE notify_bridge.gone_too() LANGUAGE sql AS 'SELECT 1';
      CREATE OR REPLACE VIEW notify_bridge.gone_view AS SELECT notify_bridge.gone();
      """)
    let differing = #expect(throws: StoreError.self) { try migrator(first).verify() }
    #expect(differing?.code == .schema && differing?.hint.contains("notify-bridge migrate") == true)
    #expect(try migrator(first).apply(dryRun: true) == [.functions(first)])
    #expect(try migrator(first).apply() == [.functions(first)])
    try migrator(first).verify()
    #expect(try migrator(first).apply().isEmpty)

    try connection.query(
      """
      CREATE ROLE operator; CREATE ROLE other;
      GRANT EXECUTE ON FUNCTION notify_bridge.more(integer), notify_bridge.purge(integer, integer, boolean, integer) TO operator;
      GRANT SELECT ON notify_bridge.served TO operator
      """)
    let second = with(
      """
      CREATE OR REPLACE FUNCTION notify_bridge.more(a text) RETURNS integer LANGUAGE sql AS 'SELECT 2';
      CREATE OR REPLACE FUNCTION notify_bridge.new() RETURNS integer LANGUAGE sql AS 'SELECT 2';
      """, version: first.version + 1)
    #expect(try migrator(second).apply() == [.functions(second)])
    for gone in ["more(integer)", "gone()", "gone_too()"] {
      #expect(try value("SELECT to_regprocedure('notify_bridge.\(gone)') IS NULL") == "t", "\(gone)")
    }
    #expect(try value("SELECT to_regclass('notify_bridge.gone_view') IS NULL") == "t")
    #expect(try value("SELECT notify_bridge.more('')") == "2")
    // Rights of operators stay, a changed signature included; PUBLIC has none.
    for (function, operates) in [
      ("more(text)", "t"), ("purge(integer, integer, boolean, integer)", "t"), ("new()", "f"),
    ] {
      #expect(
        try connection.query(
          "SELECT has_function_privilege('operator', p, 'EXECUTE'), has_function_privilege('other', p, 'EXECUTE') FROM (VALUES ('notify_bridge.\(function)')) AS f (p)"
        ) == [[operates, "f"]], "\(function)")
    }
    #expect(try value("SELECT has_table_privilege('operator', 'notify_bridge.served', 'SELECT')") == "t")
    #expect(
      try connection.query(
        """
        SELECT p.oid::regprocedure FROM pg_proc AS p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
        WHERE p.pronamespace = 'notify_bridge'::regnamespace AND a.grantee = 0
        """
      ).isEmpty)
    #expect(try value("SELECT count(*) FROM notify_bridge.functions") == "3")
  }

  @Test("of a newer program are refused by an older one, which changes nothing")
  func newer() throws {
    let newer = with("CREATE OR REPLACE FUNCTION notify_bridge.newer() RETURNS integer LANGUAGE sql AS 'SELECT 1'")
    _ = try migrator(newer).apply()
    for attempt in [{ try Migrator(connection).verify() }, { _ = try Migrator(connection).apply() }] {
      let error = #expect(throws: StoreError.self) { try attempt() }
      #expect(error?.code == .schema && error?.message.contains("newer") == true && error?.hint.isEmpty == false)
    }
    #expect(try value("SELECT notify_bridge.newer()") == "1")
  }

  @Test("are replaced by those of a build with the same version")
  func sameVersion() throws {
    _ = try migrator(with("SELECT 1", version: FunctionSet.current.version)).apply()
    let status = try Migrator(connection).status()
    #expect(status.filter(\.isPending).map(\.step) == [.functions(.current)])
    #expect(status.contains { $0.description.contains("differs") })
    #expect(try Migrator(connection).apply() == [.functions(.current)])
    #expect(try value("SELECT count(*) FROM notify_bridge.functions") == "1")
  }

  @Test("are replaced beside a transaction that has ended access, without waiting for it")
  func besideWriters() throws {
    _ = try Migrator(connection).apply()
    let writer = try cluster.connect()
    try writer.query("BEGIN; SELECT notify_bridge.disconnect_user('1'); INSERT INTO public.notification DEFAULT VALUES")
    try connection.query("SET lock_timeout = '5s'")
    #expect(try migrator(with("SELECT 1")).apply().count == 1)
    try writer.query("COMMIT")
  }

  @Test("leave the functions of before when one of them fails")
  func failing() throws {
    _ = try Migrator(connection).apply()
    let before = try connection.query("SELECT oid, xmin, prosrc FROM pg_proc WHERE proname = 'ring'")
    let error = #expect(throws: StoreError.self) { _ = try migrator(with("CREATE FUNCTION")).apply() }
    #expect(error?.message.contains("functions more") == true)
    #expect(try connection.query("SELECT oid, xmin, prosrc FROM pg_proc WHERE proname = 'ring'") == before)
    try Migrator(connection).verify()
  }
}
