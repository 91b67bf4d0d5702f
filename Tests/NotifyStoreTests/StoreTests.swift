import CoreMetrics
import NotifyCore
import Synchronization
import TestSupport
import Testing

@testable import NotifyStore

/// Takes what the listener delivers, and lets a test wait for it.
final class RecordingSink: DeliverySink {
  enum Event: Sendable {
    case batch(DeliveryBatch)
    case reconnected(UInt64, durable: UInt64)
    case epoch(Epoch)
    case revoked([Revocation])
    case returned([Int32])
  }

  let events: AsyncStream<Event>
  private let continuation: AsyncStream<Event>.Continuation
  private let isPresent: @Sendable (UserID) -> Bool

  /// - Parameter isPresent: whether a user has sockets.
  init(isPresent: @escaping @Sendable (UserID) -> Bool = { _ in true }) {
    (events, continuation) = AsyncStream.makeStream()
    self.isPresent = isPresent
  }

  func loops(of users: [UserID]) -> [LoopSet] { users.map { isPresent($0) ? .all : .none } }

  func deliver(_ batch: DeliveryBatch) async { continuation.yield(.batch(batch)) }
  func reconnected(generation: UInt64, durable: UInt64) {
    continuation.yield(.reconnected(generation, durable: durable))
  }
  func tablesReturned(_ tables: [Int32]) { continuation.yield(.returned(tables)) }
  func revoke(_ revocations: [Revocation]) { continuation.yield(.revoked(revocations)) }
  func epochChanged(to epoch: Epoch, generation: UInt64) { continuation.yield(.epoch(epoch)) }

  /// The keys of the next `count` rows.
  func rows(_ count: Int) async -> [RowKey] {
    var keys: [RowKey] = []
    for await event in events {
      if case .batch(let batch) = event { keys += batch.frames.map(\.key) }
      if keys.count >= count { break }
    }
    return keys
  }
}

@Suite("The store's services", .timeLimit(.minutes(2)))
struct StoreTests {
  let cluster: TestCluster
  let store: Store
  let url: Secret
  let sink = RecordingSink()

  init() throws {
    cluster = try TestCluster()
    url = try cluster.database("served")
    store = Store(
      settings: StoreSettings(url: url, version: "test", retentionDays: 0), limits: Limits(), status: BridgeStatus(),
      metrics: BridgeMetrics(factory: NOOPMetricsHandler.instance), logger: .silent)
  }

  /// Runs the services around a test.
  func run(_ body: (ReplayReader, Marker, PGConnection) async throws -> Void) async throws {
    let fetcher = try DeltaFetcher(store, sink: sink)
    let marker = try Marker(store)
    let replays = try ReplayReader(store)
    let maintenance = try Maintenance(store)
    let connection = try PGConnection.connect(url: url, applicationName: "test", timeout: .seconds(10))
    try connection.useSearchPathOfRole()
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await fetcher.run() }
      group.addTask { try await marker.run() }
      group.addTask { try await replays.run() }
      group.addTask { try await maintenance.run() }
      try await body(replays, marker, connection)
      group.cancelAll()
    }
  }

  func page(
    _ replays: ReplayReader, _ user: Int64, _ wanted: ReplayRequest.Wanted = .connecting(since: nil)
  ) async -> ReplayPage {
    await withCheckedContinuation { continuation in
      replays.replay(ReplayRequest(user: UserID(user), wanted: wanted, cancellation: ReplayCancellation())) {
        continuation.resume(returning: $0)
      }
    }
  }

  @Test("Rows committed after LISTEN are delivered and marked, and replayed while they are unsent")
  func path() async throws {
    try await run { replays, marker, connection in
      _ = await page(replays, 1)  // listening by now
      let id = Int64(try connection.insert(user: "1", data: #"{"n": 1}"#))
      let rows = await sink.rows(1)
      #expect(rows.map(\.id) == [id])
      let unsent = await page(replays, 1)
      #expect(unsent.batch.frames.map(\.key) == rows && unsent.next == nil && unsent.batch.cursor != nil)
      try connection.listen("marked")
      try connection.query(
        """
        CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NOTIFY marked; RETURN NULL; END';
        CREATE TRIGGER tell AFTER UPDATE ON notification FOR EACH ROW EXECUTE FUNCTION tell()
        """)
      marker.delivered([PendingMark(key: rows[0], user: UserID(1))])
      #expect(try connection.wait(.seconds(30)).doorbells > 0)
      let row = try connection.query("SELECT is_sent, sent_at IS NOT NULL FROM notification")
      #expect(row == [["t", "t"]])
      #expect(await page(replays, 1).batch.frames.isEmpty)
    }
  }

  @Test("An unsent row is replayed although another row of its delta was reported twice, as by two event loops")
  func reportedTwice() async throws {
    try await run { replays, marker, connection in
      _ = await page(replays, 1)  // listening by now
      try connection.query("INSERT INTO notification (user_id) VALUES (1), (1), (2), (2)")
      let rows = await sink.rows(4)
      while store.unsent.withLock({ !$0.isComplete }) { _ = await page(replays, 3) }
      // Each is marked before the next report; the last one tells that the second was taken.
      for (row, user) in [(rows[0], 1), (rows[0], 1), (rows[2], 2)] as [(RowKey, Int64)] {
        marker.delivered([PendingMark(key: row, user: UserID(user))])
        if row == rows[0] { while await page(replays, 1).batch.frames.contains(where: { $0.key == row }) {} }
      }
      while await page(replays, 2).batch.frames.count > 1 {}
      // A later delta moves the bound for users of whom nothing is known to be unsent.
      _ = try connection.insert(user: "3", data: "1")
      _ = await sink.rows(1)
      while await page(replays, 3).batch.frames.isEmpty {}
      #expect(await page(replays, 1).batch.frames.map(\.key) == [rows[1]])
    }
  }

  @Test("A replay is answered without the database where the connection has missed nothing, and only there")
  func nothingMissed() async throws {
    try await run { replays, _, connection in
      _ = await page(replays, 1)  // listening by now
      _ = try connection.insert(user: "2", data: "1")
      _ = await sink.rows(1)
      while store.unsent.withLock({ !$0.isComplete }) { _ = await page(replays, 3) }
      let joined = try #require(store.progress.lastDelivered)
      func answeredAtOnce(_ user: Int64) async -> (Bool, ReplayPage) {
        let asking = Atomic(true)
        let (answers, continuation) = AsyncStream.makeStream(of: (Bool, ReplayPage).self)
        let wanted = ReplayRequest.Wanted.connecting(since: nil, routedAtJoin: joined)
        replays.replay(ReplayRequest(user: UserID(user), wanted: wanted, cancellation: ReplayCancellation())) {
          continuation.yield((asking.load(ordering: .sequentiallyConsistent), $0))
        }
        asking.store(false, ordering: .sequentiallyConsistent)
        for await answer in answers { return answer }
        fatalError("the stream does not end")
      }
      let (isAtOnce, page) = await answeredAtOnce(1)
      #expect(isAtOnce && page.batch.frames.isEmpty && page.batch.snapshot == joined)
      #expect(await answeredAtOnce(2).1.batch.frames.count == 1)
    }
  }

  @Test("A replay's pages are read under the first page's snapshot, and the last one has the cursor")
  func pages() async throws {
    try await run { replays, _, connection in
      try connection.query(
        "INSERT INTO notification (user_id, data) SELECT 5, to_jsonb(i) FROM generate_series(1, 450) i")
      var page = await page(replays, 5)
      let snapshot = page.batch.snapshot
      var ids = page.batch.frames.map(\.key.id)
      while let next = page.next {
        #expect(page.batch.cursor == nil)
        try connection.query("INSERT INTO notification (user_id, data) VALUES (5, '\"late\"')")
        page = await self.page(replays, 5, .page(of: next))
        #expect(page.batch.snapshot == snapshot)
        ids += page.batch.frames.map(\.key.id)
      }
      #expect(ids.count == 450 && ids == ids.sorted() && page.batch.cursor != nil)
    }
  }

  @Test("A user that the column can't hold has no rows, and a cursor of another history is foreign")
  func odd() async throws {
    try await run { replays, _, _ in
      let user = try #require(UserID("no-number"))
      let page = await withCheckedContinuation { continuation in
        replays.replay(ReplayRequest(user: user, wanted: .connecting(since: nil), cancellation: ReplayCancellation())) {
          continuation.resume(returning: $0)
        }
      }
      #expect(page.batch.frames.isEmpty && page.next == nil && !page.truncated)
      #expect(await self.page(replays, 1, .connecting(since: "zzzzzz.10")).truncated)
      let future = "\(page.epoch).zzzzzzzz"
      #expect(await self.page(replays, 1, .connecting(since: future)).truncated)
    }
  }

  @Test("A cursor is too old once the retention has deleted rows after it")
  func tooOld() async throws {
    try await run { replays, _, connection in
      let recent = try #require(await page(replays, 1).batch.cursor)
      try connection.query(
        "INSERT INTO notification (user_id, created_at, is_sent, sent_at) VALUES (2, now() - interval '99 days', true, now())"
      )
      #expect(await !page(replays, 1, .connecting(since: recent)).truncated)
      #expect(try connection.purge(days: 30, batch: 10, dryRun: true, timeout: .seconds(5)) == 1)
      #expect(try connection.purge(days: 30, batch: 10, dryRun: false, timeout: .seconds(5)) == 1)
      // The maintenance learns it soon; the suite's time limit is the deadline.
      while await !page(replays, 1, .connecting(since: recent)).truncated {}
    }
  }

  @Test("Killed sessions connect again, and no row committed meanwhile is lost")
  func killed() async throws {
    try await run { replays, _, connection in
      _ = await page(replays, 1)
      try connection.query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'notify-bridge %'")
      let id = Int64(try connection.insert(user: "1", data: "1"))
      #expect(await sink.rows(1).map(\.id) == [id])
      #expect(await page(replays, 1).batch.frames.map(\.key.id) == [id])
    }
  }

  @Test("Clients have to connect again when revocations may have been deleted while the database was away")
  func awayForLong() async throws {
    var settings = StoreSettings(url: url, version: "test", retentionDays: 0)
    settings.revocationsKept = .zero
    let late = Store(
      settings: settings, limits: Limits(), status: BridgeStatus(), metrics: store.metrics, logger: store.logger)
    let fetcher = try DeltaFetcher(late, sink: sink)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await fetcher.run() }
      let generation = try #require(await late.fence.waitUntilCurrent())
      try cluster.connect().query(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name LIKE 'notify-bridge %'")
      for await event in sink.events {
        if case .reconnected = event { Issue.record("sockets stayed open") }
        guard case .epoch(let epoch) = event else { continue }
        #expect(epoch == generation.epoch)
        break
      }
      group.cancelAll()
    }
  }

  @Test("The fetcher ends with an error that is not retriable, and holds up no connection that waits for it")
  func missingSchema() async throws {
    let empty = Store(
      settings: StoreSettings(url: cluster.url, version: "test", retentionDays: 0), limits: Limits(),
      status: BridgeStatus(), metrics: store.metrics, logger: store.logger)
    let fetcher = try DeltaFetcher(empty, sink: sink)
    let error = await #expect(throws: StoreError.self) { try await fetcher.run() }
    #expect(error?.code == .schema)
    #expect(await empty.fence.waitUntilCurrent() == nil)
  }
}
