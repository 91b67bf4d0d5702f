import NotifyCore
import Testing

@testable import NotifyStore

@Suite("A delta or replay of unusual size", .timeLimit(.minutes(5)))
struct LongDeltaTests: ServesDatabase {
  let database: ServedDatabase

  init() throws {
    // Users from 1,000 on have no socket.
    database = try ServedDatabase { (Int64($0.text) ?? 0) < 1_000 }
  }

  @Test("whose payloads take longer together than a statement may is read in pages, each row once")
  func slowPayloads() async throws {
    try connection.query(
      """
      CREATE FUNCTION slow(data jsonb) RETURNS jsonb LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.004); RETURN data; END';
      UPDATE notify_bridge.source SET payload = 'public.slow(data)'
      """)
    try await run { _ in
      try connection.query(
        "INSERT INTO notification (user_id, data) SELECT g % 10, to_jsonb(g) FROM generate_series(1, 2500) g")
      let keys = await sink.rows(2_500)
      #expect(Set(keys).count == 2_500 && keys.count == 2_500)
      try connection.query("INSERT INTO notification (user_id, data) VALUES (1, '2')")
      #expect(await sink.rows(1).count == 1)
    }
  }

  @Test("of more rows than are remembered as not durable goes on in pages, each row once")
  func manyRows() async throws {
    let count = Limits.deltaRows + 5_000
    try await run { _ in
      try connection.query(
        "INSERT INTO notification (user_id, data) SELECT 7, '1' FROM generate_series(1, $1::integer)", [String(count)],
        timeout: .seconds(120))
      let keys = await sink.rows(count)
      #expect(keys.count == count && Set(keys).count == count)
    }
  }

  @Test("evaluates no payload for users without a socket, who get their rows when they connect")
  func absentUsers() async throws {
    try connection.query(
      """
      CREATE FUNCTION seen(user_id bigint, data jsonb) RETURNS jsonb LANGUAGE plpgsql AS
        'BEGIN IF user_id > 1000 THEN RAISE ''evaluated''; END IF; RETURN data; END';
      UPDATE notify_bridge.source SET payload = 'public.seen(user_id, data)'
      """)
    try await run { replays in
      try connection.query(
        """
        INSERT INTO notification (user_id, data)
        SELECT CASE WHEN g % 1000 = 0 THEN 7 ELSE 1000 + g % 3000 END, '1' FROM generate_series(1, 50000) g
        """)
      let keys = await sink.rows(50)
      #expect(keys.count == 50 && Set(keys).count == 50)
      try connection.query("INSERT INTO notification (user_id, data) VALUES (8, '2')")
      #expect(await sink.rows(1).count == 1)
      let quarantined = try connection.query("SELECT count(*) FROM notify_bridge.quarantine")
      #expect(quarantined == [["0"]])
      try connection.query("UPDATE notify_bridge.source SET payload = 'data'")
      let rows = store.unsent.withLock { $0.hasNone(UserID(Int64(1_001))) }
      #expect(!rows, "counted as unsent")
    }
  }

  @Test("of rows whose texts are far larger than they are stored holds no more than its bytes in memory")
  func expanding() async throws {
    // 130 KB of text in 12 bytes.
    try connection.query(
      "INSERT INTO notification (user_id, data) SELECT g % 4, to_jsonb('1e130000'::numeric) FROM generate_series(0, 799) g"
    )
    try await run { replays in
      for user in 0..<4 {
        var next: ReplayPage.Position?
        var rows = 0
        repeat {
          let page = await replays.page(
            UserID(Int64(user)), next.map { .page(of: $0) } ?? .connecting(since: nil))
          #expect(page.batch.bytes.count < Limits.replayPageText + 200_000)
          rows += page.batch.frames.count
          next = page.next
        } while next != nil
        #expect(rows == 200)
      }
    }
  }

  @Test("of many requests is read by several statements, where its texts are large together")
  func together() async throws {
    // 128 users with 1 MB each.
    try connection.query(
      "INSERT INTO notification (user_id, data) SELECT g % 128, to_jsonb('1e130000'::numeric) FROM generate_series(0, 1023) g"
    )
    try await run { replays in
      let pages = await replays.pages((0..<128).map { UserID($0) })
      let rows = pages.reduce(0) { $0 + $1.batch.frames.count }
      // The last page of a statement ends early, and goes on as any other.
      #expect(rows > 1_000 && pages.filter { $0.next != nil }.count <= 3)
    }
  }
}
