import CoreMetrics
import NotifyCore
import TestSupport
import Testing

@testable import NotifyStore

@Suite("Look-ups of credentials", .timeLimit(.minutes(2)))
struct LookupTests {
  let cluster: TestCluster
  let store: Store
  let url: Secret
  let sink = RecordingSink()

  init() throws {
    cluster = try TestCluster()
    url = try cluster.database("looked_up")
    store = Store(
      settings: StoreSettings(url: url, version: "test", retentionDays: 0), limits: Limits(), status: BridgeStatus(),
      metrics: BridgeMetrics(factory: NOOPMetricsHandler.instance),
      logger: .silent)
  }

  /// Runs the reader, and the listener that confirms its connection, around a test.
  func run(_ body: (LookupReader, PGConnection) async throws -> Void) async throws {
    let fetcher = try DeltaFetcher(store, sink: sink)
    let reader = try LookupReader(store)
    let connection = try PGConnection.connect(url: url, applicationName: "test", timeout: .seconds(10))
    try connection.useSearchPathOfRole()
    try connection.query(
      """
      CREATE TABLE auth_user (id bigint PRIMARY KEY, password text, is_active boolean);
      CREATE TABLE django_session (session_key varchar(40) PRIMARY KEY, session_data text, expire_date timestamptz);
      CREATE TABLE authtoken_token (key varchar(40) PRIMARY KEY, user_id bigint REFERENCES auth_user (id));
      INSERT INTO auth_user VALUES (1, 'pw', true), (2, 'pw', false);
      INSERT INTO django_session VALUES ('key"\\', 'data', '2100-01-01Z');
      INSERT INTO authtoken_token VALUES ('one', 1), ('two', 2)
      """)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await fetcher.run() }
      group.addTask { try await reader.run() }
      try await body(reader, connection)
      group.cancelAll()
    }
  }

  /// Asks until the database is there.
  func ask(_ reader: LookupReader, _ question: CredentialQuestion) async -> CredentialAnswer {
    while true {
      let answer = await reader.lookUp(question)
      guard case .unavailable = answer else { return answer }
    }
  }

  func record(_ reader: LookupReader, _ question: CredentialQuestion) async throws -> CredentialRecord {
    guard case .found(let record) = await ask(reader, question) else { throw NotFound() }
    return record
  }

  struct NotFound: Error {}

  @Test("Each kind of question is answered")
  func kinds() async throws {
    try await run { reader, connection in
      let session = try await record(reader, .session(key: Secret(#"key"\"#)))
      #expect(session.secret == Secret("data") && session.expires == 4_102_444_800 && !session.isExpired)
      #expect(await ask(reader, .session(key: Secret("other"))) == .unknown)
      #expect(try await record(reader, .token(key: Secret("one"))).user == UserID(1))
      #expect(try await !record(reader, .token(key: Secret("two"))).isActive)
      #expect(try await record(reader, .account(UserID(1))).secret == Secret("pw"))
      #expect(await ask(reader, .account(UserID(3))) == .unknown)
      #expect(try await record(reader, .active(UserID(3))).isActive)
      try connection.query("SELECT notify_bridge.attach_logins()")
      #expect(await ask(reader, .active(UserID(3))) == .unknown)
      let ticket = try #require(try await record(reader, .issue(UserID(9))).secret)
      #expect(ticket.exposed.hasPrefix("nbt_"))
      let hash = try connection.query("SELECT encode(hash, 'hex') FROM notify_bridge.ticket")[0][0] ?? ""
      #expect(try await record(reader, .ticket(hash: hash)).user == UserID(9))
      #expect(await ask(reader, .ticket(hash: hash)) == .unknown)
    }
  }

  @Test("An answer holds all that was committed before the question, and its snapshot shows that")
  func fresh() async throws {
    try await run { reader, connection in
      #expect(try await record(reader, .account(UserID(1))).isActive)
      let txid = try connection.query(
        "UPDATE auth_user SET is_active = false WHERE id = 1 RETURNING pg_current_xact_id()::text")[0][0]
      let inactive = try await record(reader, .account(UserID(1)))
      #expect(!inactive.isActive)
      #expect(inactive.seen.sees(UInt64(txid ?? "") ?? 0))
    }
  }

  @Test("Questions of one kind are answered while the table of another kind is missing")
  func oneMissing() async throws {
    try await run { reader, connection in
      _ = try await record(reader, .account(UserID(1)))
      try connection.query("DROP TABLE authtoken_token")
      // The first blocks the second and third, which then come together.
      try connection.query("BEGIN; LOCK TABLE django_session")
      async let first = reader.lookUp(.session(key: Secret("other")))
      while try waiting(connection) == 0 { await Task.yield() }
      async let second = reader.lookUp(.account(UserID(1)))
      async let third = reader.lookUp(.token(key: Secret("one")))
      try connection.query("COMMIT")
      #expect(await first == .unknown)
      guard case .found = await second else { throw NotFound() }
      guard case .unavailable(let why) = await third else { throw NotFound() }
      #expect(why.contains("authtoken_token"))
    }
  }

  private func waiting(_ connection: PGConnection) throws -> Int {
    Int(try connection.query("SELECT count(*) FROM pg_locks WHERE NOT granted")[0][0] ?? "") ?? 0
  }

  @Test("Look-ups are unavailable while the database is away, and come back with it")
  func away() async throws {
    try await run { reader, connection in
      _ = try await record(reader, .account(UserID(1)))
      let elsewhere = try cluster.connect()
      try elsewhere.query("ALTER DATABASE looked_up ALLOW_CONNECTIONS false")
      try elsewhere.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'looked_up'")
      var answer = await reader.lookUp(.account(UserID(1)))
      // One that was on its way may have been answered yet.
      while case .found = answer { answer = await reader.lookUp(.account(UserID(1))) }
      guard case .unavailable = answer else { throw NotFound() }
      try elsewhere.query("ALTER DATABASE looked_up ALLOW_CONNECTIONS true")
      #expect(try await record(reader, .account(UserID(1))).isActive)
    }
  }

  @Test("Look-ups are unavailable once the reader has ended")
  func over() async throws {
    var kept: LookupReader?
    try await run { reader, _ in
      _ = try await record(reader, .account(UserID(1)))
      kept = reader
    }
    #expect(await kept?.lookUp(.account(UserID(1))) == .unavailable("the bridge is stopping"))
  }
}
