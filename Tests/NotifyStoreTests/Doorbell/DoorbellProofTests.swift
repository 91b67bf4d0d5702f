import NotifyCore
import Testing

@testable import NotifyStore

@Suite("With thousands of changes between ringing and not", .serialized, .timeLimit(.minutes(3)))
struct DoorbellProofTests {
  /// A rule left out, by what it takes in the database: the bridge itself is the real one.
  enum Rule: String, CaseIterable {
    /// B is passed at once.
    case barrier = """
      CREATE FUNCTION pg_catalog.pg_current_xact_id() RETURNS xid8 LANGUAGE sql AS 'SELECT ''3''::xid8'
      """
    /// B is the snapshot's xmax, which leaves out who took an id while the arming was committed.
    case transactionID = """
      CREATE FUNCTION pg_catalog.pg_current_xact_id() RETURNS xid8 LANGUAGE sql
      AS 'SELECT pg_snapshot_xmax(pg_current_snapshot())'
      """
    /// The trigger looks before its transaction has an id.
    case afterRows = """
      DROP TRIGGER notify_bridge_ring ON public.notification;
      CREATE TRIGGER notify_bridge_ring BEFORE INSERT ON public.notification
        FOR EACH STATEMENT EXECUTE FUNCTION notify_bridge.ring()
      """
    /// Two bridges change at the same moment.
    case oneByOne = """
      DO $$ BEGIN
        EXECUTE replace(pg_get_functiondef('notify_bridge.arm(integer, boolean)'::regprocedure),
          'LOCK TABLE notify_bridge.replica IN SHARE UPDATE EXCLUSIVE MODE;', '');
      END $$
      """
  }

  /// Makes room for another function of this name, which the bridge's session then calls, and nothing else does.
  static let rigged = """
    SET allow_system_table_mods = on;
    ALTER FUNCTION pg_catalog.pg_current_xact_id() RENAME TO pg_real_xact_id;
    DO $$ DECLARE f regprocedure; BEGIN
      FOR f IN SELECT oid FROM pg_proc
        WHERE pronamespace = 'notify_bridge'::regnamespace AND prosrc LIKE '%pg_current_xact_id()%'
      LOOP
        EXECUTE replace(pg_get_functiondef(f), 'pg_current_xact_id()', 'pg_real_xact_id()');
      END LOOP;
    END $$
    """

  /// Stretches the moment between a change's transaction id and the change of the flag, in which others write.
  static let slowArming = """
    DO $$ BEGIN
      EXECUTE replace(pg_get_functiondef('notify_bridge.arm(integer, boolean)'::regprocedure),
        'PERFORM notify_bridge.set_bell();',
        'PERFORM pg_sleep(0.002); PERFORM notify_bridge.set_bell();');
    END $$
    """

  let cluster: TestCluster

  init() throws {
    cluster = try TestCluster(settings: "max_prepared_transactions = 20\nfsync = off")
  }

  func proof(
    replicas: Int, writers: Int, isTwoPhase: Bool, without rule: Rule? = nil
  ) throws -> DoorbellProof {
    let url = try cluster.database("proof")
    let connection = try PGConnection.connect(url: url, applicationName: "proof", timeout: .seconds(10))
    try connection.useSearchPathOfRole()
    try connection.query("ALTER DATABASE proof SET notify_bridge.bell_txid = on")
    try connection.query(Self.slowArming)
    if rule == .barrier || rule == .transactionID { try connection.query(Self.rigged) }
    if let rule { try connection.query(rule.rawValue) }
    return DoorbellProof(url: url, replicas: replicas, writers: writers, isTwoPhase: isTwoPhase)
  }

  @Test(
    "Every row comes once, and a doorbell rang for each that was first seen while quiet",
    arguments: [(2, false), (3, true)])
  func exact(replicas: Int, isTwoPhase: Bool) async throws {
    let proof = try proof(replicas: replicas, writers: 6, isTwoPhase: isTwoPhase)
    var total = DoorbellProof.Report()
    // Less would prove nothing.
    while total.changes < 3_000 || total.seenQuiet < 500 || min(total.killed.armed, total.killed.disarmed) < 3 {
      total += try await proof.round(changes: 750)
      #expect(total.faults.isEmpty)
    }
  }

  @Test("The proof fails when any rule is left out", arguments: Rule.allCases)
  func mutants(rule: Rule) async throws {
    // Few writers: what ends after a lost transaction, and began after it, would hide it.
    let proof = try proof(replicas: 2, writers: 2, isTwoPhase: false, without: rule)
    var rounds = 0
    var report = DoorbellProof.Report()
    while report.faults.isEmpty, rounds < 20 {
      rounds += 1
      report += try await proof.round(changes: 250)
    }
    #expect(report.faults.contains { $0.contains("not rung for") }, "leaving out the \(rule) was not noticed")
  }
}
