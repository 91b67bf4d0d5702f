import NotifyCore
import TestSupport
import Testing

@testable import NotifyStore

@Suite("In a table with a million rows, nearly all of them sent", .timeLimit(.minutes(3)))
struct PlanTests {
  /// The planner looks up the ends of an index, a few entries for each statement.
  static let planning = 50

  let cluster: TestCluster
  let connection: PGConnection
  let url: Secret

  init() throws {
    cluster = try TestCluster()
    url = try cluster.database("big")
    connection = try PGConnection.connect(url: url, applicationName: "test", timeout: .seconds(10))
    try connection.useSearchPathOfRole()
    try connection.query(
      """
      ALTER TABLE notification DISABLE TRIGGER notify_bridge_txid;
      INSERT INTO notification (user_id, data, is_sent, sent_at, txid)
      SELECT i % 1000, '{}', true, now(), (3 + i / 1500)::text::xid8 FROM generate_series(1, 1000000) AS i;
      ALTER TABLE notification ENABLE ALWAYS TRIGGER notify_bridge_txid;
      ANALYZE notification
      """, timeout: .seconds(120))
  }

  /// What the statements of this session have read of the table since the database was made.
  func reads() throws -> (sequential: Int, indexEntries: Int) {
    try connection.query("SELECT pg_stat_force_next_flush()")
    let row = try connection.query(
      """
      SELECT t.seq_scan, (SELECT sum(i.idx_tup_read) FROM pg_stat_user_indexes AS i WHERE i.relid = t.relid)
      FROM pg_stat_user_tables AS t WHERE t.relname = 'notification'
      """)[0]
    return (Int(row[0] ?? "") ?? -1, Int(row[1] ?? "") ?? -1)
  }

  /// Reads a delta to its end.
  func delta(since previous: Snapshot) throws -> (snapshot: Snapshot, rows: Int) {
    try connection.delta(since: previous, timeout: .seconds(30))
    var snapshot = previous
    var rows = 0
    while let item = try connection.next() {
      switch item {
      case .snapshot(let now, _): snapshot = now
      case .row: rows += 1
      case .request, .unsent, .revocation, .unreadable, .gone: Issue.record("an item of another stream")
      }
    }
    return (snapshot, rows)
  }

  @Test("A delta reads the index on txid for the new rows and nothing else")
  func newRows() throws {
    let start = try delta(since: Snapshot(xmax: 1_000_000)).snapshot
    try connection.query("INSERT INTO notification (user_id, data) SELECT i, '1' FROM generate_series(1, 5) AS i")
    let before = try reads()
    let read = try delta(since: start)
    let after = try reads()
    #expect(read.rows == 5)
    #expect(after.sequential == before.sequential)
    #expect(after.indexEntries - before.indexEntries <= 5 + Self.planning)
  }

  @Test("A delta does not read the rows of a transaction that is still in progress")
  func inProgress() throws {
    let writer = try PGConnection.connect(url: url, applicationName: "writer", timeout: .seconds(10))
    try writer.useSearchPathOfRole()
    try writer.query("BEGIN")
    try writer.query("INSERT INTO notification (user_id, data) SELECT i, '1' FROM generate_series(1, 20000) AS i")
    // A later transaction has ended, so the open one is in progress by name.
    try connection.query("INSERT INTO notification (user_id, data) VALUES (1, '1')")
    let start = try delta(since: Snapshot(xmax: 1_000_000)).snapshot
    #expect(start.xip.count == 1)
    let before = try reads()
    let during = try delta(since: start)
    let after = try reads()
    #expect(during.rows == 0)
    #expect(after.indexEntries - before.indexEntries <= Self.planning)
    try writer.query("COMMIT")
    #expect(try delta(since: during.snapshot).rows == 20_000)
  }

  @Test("A marking looks each row up by its key, also the rows that are left")
  func marking() throws {
    let rows = 500
    let texts = try connection.query(
      "INSERT INTO notification (user_id, data) SELECT i, '1' FROM generate_series(1, \(rows)) AS i RETURNING txid::text, id"
    )
    let keys = texts.compactMap { row in
      row[0].flatMap { UInt64($0) }.flatMap { txid in row[1].flatMap { Int64($0) }.map { RowKey(txid: txid, id: $0) } }
    }
    let marks = keys.map { PendingMark(key: $0, user: UserID(1)) }
    let holder = try PGConnection.connect(url: url, applicationName: "holder", timeout: .seconds(10))
    try holder.useSearchPathOfRole()
    try holder.query("BEGIN; SELECT FROM notification WHERE id = \(keys[0].id) FOR UPDATE")
    let before = try reads()
    let marking = try connection.markSent(marks, in: 1, timeout: .seconds(30))
    let after = try reads()
    #expect(marking.marked == rows - 1 && marking.left == [0])
    #expect(after.sequential == before.sequential)
    // Once to lock, once to update, once to see what is left.
    #expect(after.indexEntries - before.indexEntries <= 3 * rows + Self.planning)
  }
}
