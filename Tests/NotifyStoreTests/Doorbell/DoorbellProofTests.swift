import NotifyCore
import Testing

@testable import NotifyStore

@Suite("With thousands of changes between ringing and not", .serialized, .timeLimit(.minutes(3)))
struct DoorbellProofTests {
  /// A rule left out, by what it takes in the database: the bridge itself is the real one.
  enum Rule: String, CaseIterable {
    /// B is passed at once.
    case barrier = """
      CREATE SCHEMA rigged;
      CREATE FUNCTION rigged.pg_current_xact_id() RETURNS xid8 LANGUAGE sql AS 'SELECT ''3''::xid8';
      ALTER DATABASE proof SET search_path = rigged, pg_catalog, public
      """
    /// B is the snapshot's xmax, which leaves out who took an id while the arming was committed.
    case transactionID = """
      CREATE SCHEMA rigged;
      CREATE FUNCTION rigged.pg_current_xact_id() RETURNS xid8 LANGUAGE sql
      AS 'SELECT pg_snapshot_xmax(pg_current_snapshot())';
      ALTER DATABASE proof SET search_path = rigged, pg_catalog, public
      """
    /// The trigger looks with its statement's snapshot.
    case ownSnapshot = "ALTER FUNCTION notify_bridge.ring() STABLE"
    /// The trigger believes what it sees in REPEATABLE READ and SERIALIZABLE too.
    case isolation = """
      DO $$ BEGIN
        EXECUTE replace(replace(pg_get_functiondef('notify_bridge.ring()'::regprocedure),
          '''repeatable read''', '''none'''), '''serializable''', '''none''');
      END $$
      """
  }

  let cluster: TestCluster

  init() throws {
    cluster = try TestCluster(settings: "max_prepared_transactions = 20")
  }

  func proof(replicas: Int, isTwoPhase: Bool, without rule: Rule? = nil) throws -> DoorbellProof {
    let url = try cluster.database("proof")
    let connection = try cluster.connect()
    try connection.query("ALTER DATABASE proof SET notify_bridge.bell_txid = on")
    if let rule {
      try Connection.connect(url: url, applicationName: "rule", timeout: .seconds(10)).query(rule.rawValue)
    }
    return DoorbellProof(url: url, replicas: replicas, isTwoPhase: isTwoPhase)
  }

  @Test(
    "every row comes once, and each that is first seen while quiet was rung for",
    arguments: [(2, false), (3, true)])
  func exact(replicas: Int, isTwoPhase: Bool) async throws {
    let proof = try proof(replicas: replicas, isTwoPhase: isTwoPhase)
    var total = DoorbellProof.Report()
    // Less would prove nothing.
    while total.changes < 3_000 || total.seenQuiet < 500 || min(total.killed.armed, total.killed.disarmed) < 3 {
      total += try await proof.round(changes: 750)
      #expect(total.faults.isEmpty)
    }
  }

  @Test("that is noticed to be wrong when any rule is left out", arguments: Rule.allCases)
  func mutants(rule: Rule) async throws {
    let proof = try proof(replicas: 2, isTwoPhase: false, without: rule)
    var rounds = 0
    var report = DoorbellProof.Report()
    while report.faults.isEmpty, rounds < 20 {
      rounds += 1
      report += try await proof.round(changes: 250)
    }
    #expect(report.faults.contains { $0.contains("not rung for") }, "leaving out the \(rule) was not noticed")
  }
}
