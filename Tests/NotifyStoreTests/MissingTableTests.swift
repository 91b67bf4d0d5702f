import CoreMetrics
import NotifyCore
import TestSupport
import Testing

@testable import NotifyStore

@Suite("A table that can't be read", .serialized, .timeLimit(.minutes(2)))
struct MissingTableTests: ServesDatabase {
  let database: ServedDatabase

  init() throws {
    database = try ServedDatabase(
      """
      CREATE SCHEMA app;
      CREATE TABLE app.note (id bigserial PRIMARY KEY, recipient bigint, title text);
      SELECT notify_bridge.attach('app.note', recipient => 'recipient', payload => 'to_jsonb(title)')
      """)
  }

  /// The tables of the next rows up to the return of a table.
  func tablesOfRowsUntilReturn() async -> [Int32] {
    var tables: [Int32] = []
    for await event in sink.events {
      switch event {
      case .batch(let batch): tables += batch.frames.map(\.key.row.table)
      case .returned(let numbers):
        #expect(numbers == [2])
        return tables
      case .epoch: Issue.record("sockets that lack nothing were closed")
      case .reconnected, .revoked: break
      }
    }
    return tables
  }

  /// Whether the next batch with rows, or the end of its delta, has a cursor.
  func hasCursor() async -> Bool {
    var hasRows = false
    for await event in sink.events {
      guard case .batch(let batch) = event else { continue }
      hasRows = hasRows || !batch.frames.isEmpty
      if hasRows, batch.cursor != nil || batch.isEnd { return batch.cursor != nil }
    }
    return false
  }

  func quarantined() throws -> [[String?]] {
    try connection.query("SELECT source, row_id, stage FROM notify_bridge.quarantine")
  }

  @Test("because it is locked holds up no other, and its rows come once it is unlocked")
  func locked() async throws {
    try await run { replays in
      try connection.query("BEGIN; LOCK TABLE app.note IN ACCESS EXCLUSIVE MODE")
      try connection.query("INSERT INTO app.note (recipient, title) VALUES (1, 'in it')")
      let writer = try PGConnection.connect(url: store.settings.url, applicationName: "test", timeout: .seconds(10))
      try writer.useSearchPathOfRole()
      try writer.query("INSERT INTO notification (user_id, data) VALUES (1, '1')")
      #expect(await sink.rows(1).map(\.row.table) == [1])
      let during = await replays.page(UserID(1))
      #expect(during.omitted == [2] && during.batch.cursor == nil)
      #expect(during.batch.frames.map(\.key.row.table) == [1])
      #expect(store.status.failing(at: .now).map(\.part) == ["table"])
      let quarantine = try writer.query("SELECT source, row_id, stage FROM notify_bridge.quarantine")
      #expect(quarantine == [["app.note", nil, "read"]])
      try writer.query("INSERT INTO notification (user_id, data) VALUES (1, '3')")
      #expect(await !hasCursor(), "it would vouch for rows of the locked table")
      try writer.query("INSERT INTO notification (user_id, data) VALUES (1, '2')")
      try connection.query("COMMIT")
      #expect(await tablesOfRowsUntilReturn().sorted() == [1, 2])
      let after = await replays.page(UserID(1))
      #expect(after.omitted == [] && after.batch.cursor != nil && after.batch.frames.count == 4)
      #expect(store.status.failing(at: .now).isEmpty)
      let released = try quarantined()
      #expect(released.isEmpty)
      try connection.query("INSERT INTO app.note (recipient, title) VALUES (1, 'after it')")
      #expect(await hasCursor())
    }
  }

  @Test("for so long that cursors go without it has clients refetch when it is back")
  func cursorsWithoutIt() async throws {
    var settings = store.settings
    settings.cursorsWithheld = .zero
    let other = Store(
      settings: settings, limits: Limits(), status: BridgeStatus(),
      metrics: BridgeMetrics(factory: NOOPMetricsHandler.instance), logger: .silent)
    try await run(of: other) { replays in
      try connection.query("ALTER TABLE app.note RENAME title TO text")
      try connection.query("INSERT INTO app.note (recipient, text, sent_at) VALUES (1, 'to another device', now())")
      while await replays.page(UserID(1)).omitted != [2] {}
      try connection.query("INSERT INTO notification (user_id, data) VALUES (1, '1')")
      var cursor: String?
      for await event in sink.events {
        if case .batch(let batch) = event, !batch.frames.isEmpty { cursor = batch.cursor }
        if cursor != nil { break }
      }
      let during = await replays.page(UserID(1), .connecting(since: cursor))
      #expect(!during.truncated && during.omitted == [2])
      try connection.query("ALTER TABLE app.note RENAME text TO title")
      _ = await tablesOfRowsUntilReturn()
      let after = await replays.page(UserID(1), .connecting(since: cursor))
      #expect(after.truncated && after.omitted.isEmpty)
      #expect(await !replays.page(UserID(1), .connecting(since: after.batch.cursor)).truncated)
    }
  }

  @Test("because a column is gone or a right is missing gets its rows delivered when it is back, each once")
  func renamed() async throws {
    try await run { replays in
      try connection.query("INSERT INTO app.note (recipient, title) VALUES (1, 'before')")
      #expect(await sink.rows(1).count == 1)
      try connection.query("ALTER TABLE app.note RENAME title TO text")
      try connection.query("INSERT INTO app.note (recipient, text) VALUES (1, 'meanwhile'), (1, 'too')")
      try connection.query("INSERT INTO notification (user_id, data) VALUES (1, '1')")
      #expect(await sink.rows(1).map(\.row.table) == [1])
      while await replays.page(UserID(1)).omitted != [2] {}
      try connection.query("ALTER TABLE app.note RENAME text TO title")
      #expect(await tablesOfRowsUntilReturn() == [2, 2])
      try connection.query("INSERT INTO app.note (recipient, title) VALUES (1, 'after')")
      #expect(await sink.rows(1).count == 1)
      #expect(await replays.page(UserID(1)).batch.frames.count == 5)
    }
  }
}
