import CoreMetrics
import NotifyCore
import TestSupport
import Testing

@testable import NotifyStore

@Suite("A row that can't be read", .serialized, .timeLimit(.minutes(3)))
struct UnreadableRowTests {
  let cluster: TestCluster
  let sink = RecordingSink()

  init() throws { cluster = try TestCluster() }

  /// A database with a second table `app.note`, whose payload is the result of a function of the backend's.
  struct Served {
    let store: Store
    let connection: PGConnection
  }

  func served(
    _ url: Secret, limits: Limits = Limits(), rowTimeout: Duration = Limits.statementTimeout
  ) throws -> Served {
    let connection = try PGConnection.connect(url: url, applicationName: "test", timeout: .seconds(10))
    try connection.useSearchPathOfRole()
    try connection.query(
      """
      CREATE SCHEMA app;
      CREATE SEQUENCE app.evaluated;
      CREATE FUNCTION app.payload(title text) RETURNS jsonb LANGUAGE plpgsql AS $$
      BEGIN
        IF title ~ '^[0-9A-Z]{5}$' THEN
          PERFORM nextval('app.evaluated');
          RAISE EXCEPTION 'a secret' USING ERRCODE = title;
        END IF;
        RETURN to_jsonb(title);
      END $$;
      CREATE TABLE app.note (id bigserial, recipient text, title text, sent_at timestamptz,
        txid xid8 DEFAULT pg_current_xact_id(), part integer NOT NULL DEFAULT 0) PARTITION BY LIST (part);
      CREATE TABLE app.note_0 PARTITION OF app.note FOR VALUES IN (0);
      CREATE TABLE app.note_1 PARTITION OF app.note FOR VALUES IN (1);
      CREATE INDEX ON app.note (id); CREATE INDEX ON app.note (txid); CREATE INDEX ON app.note (recipient, txid);
      CREATE TRIGGER ring AFTER INSERT ON app.note FOR EACH STATEMENT EXECUTE FUNCTION notify_bridge.ring();
      INSERT INTO notify_bridge.source (relation, is_own, id_column, id_kind, recipient_column, recipient_kind, payload,
        payload_kind, payload_column, txid_column, sent_column, sent_at_column)
      VALUES ('app.note', false, 'id', 'integer', 'recipient', 'text', 'app.payload(title)',
        'jsonb', NULL, 'txid', NULL, 'sent_at')
      """)
    var settings = StoreSettings(url: url, version: "test", retentionDays: 0)
    settings.rowTimeout = rowTimeout
    let store = Store(
      settings: settings, limits: limits, status: BridgeStatus(),
      metrics: BridgeMetrics(factory: NOOPMetricsHandler.instance), logger: .silent)
    return Served(store: store, connection: connection)
  }

  func run(_ served: Served, _ body: (ReplayReader) async throws -> Void) async throws {
    let fetcher = try DeltaFetcher(served.store, sink: sink)
    let replays = try ReplayReader(served.store)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await fetcher.run() }
      group.addTask { try await replays.run() }
      _ = await replays.page(UserID(1))  // listening by now
      try await body(replays)
      group.cancelAll()
    }
  }

  /// The payloads of the next `count` rows.
  func delivered(_ count: Int) async -> [String] {
    var payloads: [String] = []
    for await event in sink.events {
      if case .batch(let batch) = event { payloads += self.payloads(batch) }
      if payloads.count >= count { break }
    }
    return payloads
  }

  func payloads(_ batch: DeliveryBatch) -> [String] {
    batch.frames.indices.map { index in
      let frame = String(decoding: batch.bytes[batch.byteRange(index..<(index + 1))], as: UTF8.self)
      return frame.split(separator: #""data":"#).last.map { String($0.dropLast()) } ?? ""
    }
  }

  func quarantine(_ served: Served) throws -> [[String?]] {
    try served.connection.query(
      "SELECT source, row_id, sqlstate, stage FROM notify_bridge.quarantine ORDER BY row_id::bigint, sqlstate")
  }

  @Test(
    "is set aside whatever its error is, and all others are delivered, live and to a device that connects",
    arguments: ["P0001", "22012", "42883", "54000", "55P03", "40001", "53200", "57014", "XX000", "AB123"])
  func everyError(sqlstate: String) async throws {
    let served = try served(try cluster.database("served_\(sqlstate.lowercased())"))
    try await run(served) { replays in
      try served.connection.query(
        """
        BEGIN; INSERT INTO app.note (recipient, title) VALUES ('1', 'one'), ('1', '\(sqlstate)'), ('1', 'three');
        INSERT INTO notification (user_id, data) VALUES (1, '4'); COMMIT
        """)
      let all = ["4", #""one""#, #""three""#]
      #expect(await delivered(3) == all)
      #expect(try quarantine(served) == [["app.note", "2", sqlstate, "read"]])
      let evaluated = try served.connection.query("SELECT last_value FROM app.evaluated")
      #expect(payloads(await replays.page(UserID(1)).batch) == all)
      #expect(payloads(await replays.page(UserID(2)).batch) == [])
      let evaluatedNow = try served.connection.query("SELECT last_value FROM app.evaluated")
      #expect(evaluatedNow == evaluated, "it was tried again")
      // The bridge goes on, on the same connection.
      try served.connection.query("INSERT INTO app.note (recipient, title) VALUES ('1', 'five')")
      #expect(await delivered(1) == [#""five""#])
    }
  }

  @Test("among many is found each time, and its neighbours keep their order")
  func many() async throws {
    let served = try served(try cluster.database("served"))
    try await run(served) { replays in
      try served.connection.query(
        """
        INSERT INTO app.note (recipient, title)
        SELECT (g % 3)::text, CASE WHEN g % 100 = 50 THEN 'P0001' ELSE 'n' || g END FROM generate_series(1, 3000) g
        """)
      let good = (1...3000).filter { $0 % 100 != 50 }.map { "\"n\($0)\"" }
      // Batches group rows by user.
      #expect(await delivered(good.count).sorted() == good.sorted())
      #expect(try quarantine(served).count == 30)
      let first = await replays.page(UserID(1))
      #expect(
        payloads(first.batch) == (1...3000).filter { $0 % 3 == 1 && $0 % 100 != 50 }.prefix(200).map { "\"n\($0)\"" })
    }
  }

  @Test("is found by the replay of a device that connects, before which nobody has read it")
  func unsentAtStart() async throws {
    let served = try served(try cluster.database("served"))
    try served.connection.query(
      "INSERT INTO app.note (recipient, title) SELECT '7', CASE WHEN g % 2 = 0 THEN 'P0001' ELSE 'n' || g END FROM generate_series(1, 500) g"
    )
    try await run(served) { replays in
      let first = await replays.page(UserID(7))
      #expect(payloads(first.batch) == stride(from: 1, to: 200, by: 2).map { "\"n\($0)\"" })
      #expect(first.next != nil)
      // Together with those of others, in one statement.
      let others = await replays.pages((8...100).map { UserID($0) })
      #expect(others.count == 93)
      #expect(others.reduce(0) { $0 + $1.batch.frames.count } == 0)
      let rows = try quarantine(served)
      #expect(rows.count == 100)
    }
  }

  @Test("because its text is too long is not sent, and no other error either is needed to find it")
  func tooLong() async throws {
    var limits = Limits()
    limits.rowBytes = 100_000
    let served = try served(try cluster.database("served"), limits: limits)
    // 12 bytes as stored.
    try served.connection.query("UPDATE notify_bridge.source SET payload = 'to_jsonb(title::numeric)' WHERE number = 2")
    try await run(served) { replays in
      try served.connection.query(
        "INSERT INTO app.note (recipient, title) VALUES ('1', '1'), ('1', '1e100001'), ('1', '3')")
      #expect(await delivered(2) == ["1", "3"])
      #expect(try quarantine(served) == [["app.note", "2", "54000", "read"]])
      #expect(payloads(await replays.page(UserID(1)).batch) == ["1", "3"])
    }
  }

  @Test("because another row of its transaction has its id is set aside, and the first one is delivered")
  func repeated() async throws {
    let served = try served(try cluster.database("served"))
    try await run(served) { replays in
      try served.connection.query(
        """
        INSERT INTO app.note (id, recipient, title, part)
        VALUES (1, '1', 'one', 0), (7, '1', 'first', 0), (7, '1', 'second', 1), (8, '1', 'three', 1)
        """)
      #expect(await delivered(3) == [#""one""#, #""first""#, #""three""#])
      #expect(try quarantine(served) == [["app.note", "7", "23505", "read"]])
      #expect(payloads(await replays.page(UserID(1)).batch) == [#""one""#, #""first""#, #""three""#])
    }
  }

  @Test("because its bytes are no UTF-8 is set aside, in a database that takes all bytes")
  func bytes() async throws {
    try cluster.connect().query(
      "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0", timeout: .seconds(60)
    )
    let url = Secret(cluster.url.exposed.replacing(/\/postgres$/, with: "/ascii"))
    let migrating = try PGConnection.connect(url: url, applicationName: "test", timeout: .seconds(10))
    try migrating.useSearchPathOfRole()
    _ = try Migrator(migrating).apply()
    let served = try served(url)
    try await run(served) { replays in
      try served.connection.query(
        #"""
        INSERT INTO app.note (recipient, title)
        VALUES ('1', 'one'), ('1', E'\xff'), (E'\xfe', 'three'), (NULL, 'four'), ('1', 'five')
        """#)
      #expect(await delivered(2) == [#""one""#, #""five""#])
      #expect(try quarantine(served) == [["app.note", "2", "22021", "read"], ["app.note", "3", "22021", "read"]])
      #expect(payloads(await replays.page(UserID(1)).batch) == [#""one""#, #""five""#])
    }
  }

  @Test("because it takes longer than a row may is given up in the server too, and set aside")
  func slow() async throws {
    let served = try served(try cluster.database("served"), rowTimeout: .milliseconds(300))
    try served.connection.query(
      "UPDATE notify_bridge.source SET payload = 'to_jsonb(CASE WHEN title = ''slow'' THEN pg_sleep(600)::text ELSE title END)' WHERE number = 2"
    )
    try await run(served) { replays in
      try served.connection.query(
        """
        BEGIN; INSERT INTO app.note (recipient, title) VALUES ('1', 'one'), ('1', 'slow'), ('1', 'three');
        INSERT INTO notification (user_id, data) VALUES (1, '4'); COMMIT
        """)
      #expect(await delivered(3) == ["4", #""one""#, #""three""#])
      #expect(try quarantine(served) == [["app.note", "2", "57014", "read"]])
      let active = try served.connection.query(
        """
        SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'
        """)
      #expect(active == [["0"]])
      #expect(payloads(await replays.page(UserID(1)).batch) == ["4", #""one""#, #""three""#])
    }
  }

  @Test("is delivered once it was fixed and is tried again")
  func retried() async throws {
    let served = try served(try cluster.database("served"))
    try await run(served) { _ in
      try served.connection.query("INSERT INTO app.note (recipient, title) VALUES ('1', 'P0001'), ('1', 'two')")
      #expect(await delivered(1) == [#""two""#])
      try served.connection.query("UPDATE app.note SET title = 'fixed' WHERE id = 1")
      try served.connection.query("SELECT notify_bridge.retry_quarantined('app.note', '{1}')")
      #expect(await delivered(1) == [#""fixed""#])
      #expect(try quarantine(served).isEmpty)
    }
  }

  @Test("is not one of a table that may not be read, of which no row is set aside")
  func missingRight() throws {
    let served = try served(try cluster.database("served"))
    try served.connection.query("INSERT INTO notification (user_id, data) VALUES (1, '1'), (1, '2')")
    let keys = try served.connection.query("SELECT txid::text, id::text FROM notification").map {
      RowKey(txid: UInt64($0[0] ?? "") ?? 0, id: Int64($0[1] ?? "") ?? 0)
    }
    let tables = try TableSurvey(served.connection).served.filter { $0.number == 1 }
    try served.connection.serve(tables)
    try served.connection.query("CREATE ROLE reader; SET ROLE reader")
    var rows = KeyedRows(keys, served.connection, of: tables, timeout: .seconds(5))
    let error = #expect(throws: StoreError.self) { _ = try rows.next() }
    #expect(error?.sqlstate == "42501")
  }
}
