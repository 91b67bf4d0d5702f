import CoreMetrics
import NotifyCore
import TestSupport
import Testing

@testable import NotifyStore

@Suite("A table that can't be read", .serialized, .timeLimit(.minutes(2)))
struct MissingTableTests {
  let cluster: TestCluster
  let store: Store
  let connection: PGConnection
  let sink = RecordingSink()

  init() throws {
    cluster = try TestCluster()
    let url = try cluster.database("served")
    connection = try PGConnection.connect(url: url, applicationName: "test", timeout: .seconds(10))
    try connection.useSearchPathOfRole()
    try connection.query(
      """
      CREATE SCHEMA app;
      CREATE TABLE app.note (id bigserial PRIMARY KEY, recipient bigint, title text);
      SELECT notify_bridge.attach('app.note', recipient => 'recipient', payload => 'to_jsonb(title)')
      """)
    store = Store(
      settings: StoreSettings(url: url, version: "test", retentionDays: 0), limits: Limits(), status: BridgeStatus(),
      metrics: BridgeMetrics(factory: NOOPMetricsHandler.instance), logger: .silent)
  }

  func run(_ other: Store? = nil, _ body: (ReplayReader) async throws -> Void) async throws {
    let store = other ?? store
    let fetcher = try DeltaFetcher(store, sink: sink)
    let replays = try ReplayReader(store)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await fetcher.run() }
      group.addTask { try await replays.run() }
      _ = await page(replays)  // listening by now
      try await body(replays)
      group.cancelAll()
    }
  }

  func page(_ replays: ReplayReader) async -> ReplayPage {
    await replays.pages([UserID(1)])[0]
  }

  func page(_ replays: ReplayReader, since cursor: String) async -> ReplayPage {
    await withCheckedContinuation { continuation in
      replays.replay(
        ReplayRequest(user: UserID(1), wanted: .connecting(since: cursor), cancellation: ReplayCancellation())
      ) { continuation.resume(returning: $0) }
    }
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
      let during = await page(replays)
      #expect(during.omitted == [2] && during.batch.cursor == nil)
      #expect(during.batch.frames.map(\.key.row.table) == [1])
      #expect(store.status.failing(at: .now).map(\.part) == ["table"])
      let quarantine = try writer.query("SELECT source, row_id, stage FROM notify_bridge.quarantine")
      #expect(quarantine == [["app.note", nil, "read"]])
      try writer.query("INSERT INTO notification (user_id, data) VALUES (1, '2')")
      try connection.query("COMMIT")
      #expect(await tablesOfRowsUntilReturn().sorted() == [1, 2])
      let after = await page(replays)
      #expect(after.omitted == [] && after.batch.cursor != nil && after.batch.frames.count == 3)
      #expect(store.status.failing(at: .now).isEmpty)
      let released = try quarantined()
      #expect(released.isEmpty)
      try connection.query("INSERT INTO app.note (recipient, title) VALUES (1, 'after it')")
      #expect(await sink.rows(1).map(\.row.table) == [2])
    }
  }

  @Test("for so long that cursors go without it has clients refetch when it is back")
  func cursorsWithoutIt() async throws {
    var settings = store.settings
    settings.cursorsWithheld = .zero
    let other = Store(
      settings: settings, limits: Limits(), status: BridgeStatus(),
      metrics: BridgeMetrics(factory: NOOPMetricsHandler.instance), logger: .silent)
    try await run(other) { replays in
      try connection.query("ALTER TABLE app.note RENAME title TO text")
      try connection.query("INSERT INTO app.note (recipient, text, sent_at) VALUES (1, 'to another device', now())")
      while await page(replays).omitted != [2] {}
      try connection.query("INSERT INTO notification (user_id, data) VALUES (1, '1')")
      var cursor: String?
      for await event in sink.events {
        if case .batch(let batch) = event, !batch.frames.isEmpty { cursor = batch.cursor }
        if cursor != nil { break }
      }
      let during = await page(replays, since: try #require(cursor))
      #expect(!during.truncated && during.omitted == [2])
      try connection.query("ALTER TABLE app.note RENAME text TO title")
      _ = await tablesOfRowsUntilReturn()
      let after = await page(replays, since: try #require(cursor))
      #expect(after.truncated && after.omitted.isEmpty)
      #expect(await !page(replays, since: try #require(after.batch.cursor)).truncated)
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
      while await page(replays).omitted != [2] {}
      try connection.query("ALTER TABLE app.note RENAME text TO title")
      #expect(await tablesOfRowsUntilReturn() == [2, 2])
      try connection.query("INSERT INTO app.note (recipient, title) VALUES (1, 'after')")
      #expect(await sink.rows(1).count == 1)
      #expect(await page(replays).batch.frames.count == 5)
    }
  }
}
