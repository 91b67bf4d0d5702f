import NotifyCore
import Testing

@testable import NotifyStore

@Suite("Served tables", .timeLimit(.minutes(2)))
struct TableTests: ServesDatabase {
  let database: ServedDatabase

  init() throws { database = try ServedDatabase() }

  /// A second table, with other kinds of keys, whose name needs quotes.
  func addTable() throws {
    try connection.query(
      #"""
      CREATE TABLE public."Order ""x""" (
        "Key" uuid PRIMARY KEY DEFAULT gen_random_uuid(), "to" text, title text,
        sent_at timestamptz, txid xid8 DEFAULT pg_current_xact_id());
      CREATE INDEX ON public."Order ""x""" (txid);
      CREATE INDEX ON public."Order ""x""" ("to", txid);
      CREATE TRIGGER ring AFTER INSERT ON public."Order ""x""" FOR EACH STATEMENT EXECUTE FUNCTION notify_bridge.ring();
      INSERT INTO notify_bridge.source (relation, is_own, id_column, id_kind, recipient_column, recipient_kind, payload,
        payload_kind, payload_column, txid_column, sent_column, sent_at_column)
      VALUES ('public."Order ""x"""', false, 'Key', 'uuid', 'to', 'text', 'jsonb_build_object(''title'', title) -- all',
        'jsonb', NULL, 'txid', NULL, 'sent_at');
      SELECT pg_notify('notify_bridge', '')
      """#)
  }

  func run(_ body: (ReplayReader, Marker) async throws -> Void) async throws {
    let marker = try Marker(store)
    try await run([marker, Maintenance(store)]) { replays in try await body(replays, marker) }
  }

  func text(_ batch: DeliveryBatch) -> String { String(decoding: batch.bytes, as: UTF8.self) }

  @Test("Rows of several tables come in one delta, and each is marked in its own table")
  func several() async throws {
    try addTable()
    try await run { replays, marker in
      let user = try #require(UserID("7"))
      try connection.query(
        #"""
        BEGIN; INSERT INTO public."Order ""x""" ("to", title) VALUES ('7', 'one');
        INSERT INTO notification (user_id, data) VALUES (7, '2'); COMMIT
        """#)
      let keys = await sink.rows(2)
      #expect(keys.map(\.row.table) == [1, 2] && keys[0].txid == keys[1].txid)
      let replayed = await replays.page(user)
      #expect(replayed.batch.frames.map(\.key) == keys)
      #expect(text(replayed.batch).contains(#","source":"public.\"Order \"\"x\"\"\"","cursor":""#))
      #expect(text(replayed.batch).contains(#""source":"public.notification""#))
      #expect(text(replayed.batch).contains(#""data":{"title": "one"}}"#))
      try connection.listen("marked")
      try connection.query(
        #"""
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NOTIFY marked; RETURN NULL; END';
        CREATE TRIGGER tell AFTER UPDATE ON public."Order ""x""" FOR EACH ROW EXECUTE FUNCTION tell()
        """#)
      marker.delivered(keys.map { PendingMark(key: $0, user: user) })
      #expect(try connection.wait(.seconds(30)).doorbells > 0)
      while await !replays.page(user).batch.frames.isEmpty {}
      #expect(try connection.query(#"SELECT sent_at IS NOT NULL FROM public."Order ""x""""#) == [["t"]])
    }
  }

  @Test("A table that is attached while the bridge runs is served at once, with the rows that it holds")
  func added() async throws {
    try await run { replays, _ in
      let user = try #require(UserID("someone"))
      #expect(await replays.page(user).batch.frames.isEmpty)
      try addTable()
      try connection.query(#"INSERT INTO public."Order ""x""" ("to", title) VALUES ('someone', 'one')"#)
      // Connected clients come back for what the table holds.
      for await event in sink.events {
        if case .epoch = event { break }
      }
      #expect(store.status.catalog.tables.map(\.name) == ["public.notification", #"public."Order ""x""""#])
      #expect(await replays.page(user).batch.frames.count == 1)
    }
  }

  @Test("A table whose column is renamed is reported as failing, and the others are still served")
  func renamed() async throws {
    try addTable()
    try await run { replays, _ in
      while !store.status.failing(at: .now).isEmpty { _ = await replays.page(UserID(1)) }
      try connection.query(#"ALTER TABLE public."Order ""x""" RENAME "to" TO recipient"#)
      try connection.query("INSERT INTO notification (user_id, data) VALUES (1, '2')")
      while store.status.failing(at: .now).first(where: { $0.part == "table" }) == nil {
        _ = await replays.page(UserID(1))
      }
      let failing = store.status.failing(at: .now).first { $0.part == "table" }
      #expect(failing?.table == #"public."Order ""x""""#)
      #expect(failing?.reason == #"column "to" is missing: it was renamed or dropped"#)
      #expect(await replays.page(UserID(1)).batch.frames.count == 1)
      try connection.query(#"ALTER TABLE public."Order ""x""" RENAME recipient TO "to""#)
      try connection.query("SELECT pg_notify('notify_bridge', '')")
      while !store.status.failing(at: .now).isEmpty { _ = await replays.page(UserID(1)) }
    }
  }

  @Test("A payload expression that is not valid keeps only its own table from being served")
  func broken() async throws {
    try addTable()
    try connection.query("UPDATE notify_bridge.source SET payload = 'nothing_like(title)' WHERE number = 2")
    try await run { replays, _ in
      let failing = store.status.failing(at: .now).filter { $0.part == "table" }
      #expect(failing.count == 1 && failing.first?.reason.contains("nothing_like") == true)
      try connection.query("INSERT INTO notification (user_id, data) VALUES (1, '2')")
      #expect(await sink.rows(1).count == 1)
    }
  }

  @Test("Revocations come before the rows of their delta")
  func revocations() async throws {
    try await run { replays, _ in
      try connection.query(
        """
        BEGIN; INSERT INTO notification (user_id, data) VALUES (1, '2');
        INSERT INTO notify_bridge.revocation (user_id, kind, credential, reason) VALUES ('1', 'user', NULL, 'inactive');
        INSERT INTO notify_bridge.revocation (user_id, kind, credential, reason) VALUES ('', 'token', 'ab', 'revoked');
        COMMIT
        """)
      var told: [Revocation] = []
      for await event in sink.events {
        if case .revoked(let revocations) = event { told += revocations }
        if case .batch(let batch) = event, !batch.frames.isEmpty { break }
      }
      let txid = UInt64(try connection.query("SELECT max(txid::text) FROM notify_bridge.revocation")[0][0] ?? "") ?? 0
      #expect(
        told == [
          Revocation(user: UserID(1), scope: .user, reason: .inactive, txid: txid),
          Revocation(user: nil, scope: .token("ab"), reason: .revoked, txid: txid),
        ])
    }
  }
}
