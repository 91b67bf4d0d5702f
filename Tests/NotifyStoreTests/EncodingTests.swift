import Foundation
import NotifyCore
import TestSupport
import Testing

@testable import NotifyStore

@Suite("A database")
struct EncodingTests {
  let cluster: TestCluster

  init() throws { cluster = try TestCluster() }

  @Test("of any server encoding can be migrated, and its rows are fetched and marked")
  func everyEncoding() throws {
    let connection = try cluster.connect()
    // The encodings above KOI8U are for clients only.
    let encodings = try connection.query(
      """
      SELECT pg_encoding_to_char(e), pg_encoding_to_char(e) = 'MULE_INTERNAL'
      FROM generate_series(0, pg_char_to_encoding('KOI8U')) AS e ORDER BY e
      """)
    #expect(encodings.count == 35)
    for encoding in encodings {
      let name = try #require(encoding[0])
      try connection.query(
        "CREATE DATABASE \"\(name)\" ENCODING '\(name)' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0",
        timeout: .seconds(60))
      let url = Secret(cluster.url.exposed.replacing(/\/postgres$/, with: "/\(name)"))
      if encoding[1] == "t" {
        // PostgreSQL can't convert it to UTF-8, in which the bridge reads rows.
        #expect(throws: StoreError.self) { try open(url) }
        continue
      }
      let text = ["UTF8", "LATIN1", "LATIN9", "WIN1252"].contains(name) ? "\u{e9}t\u{e9}" : "summer"
      #expect(throws: Never.self, "\(name)") { try deliver(text, try open(url)) }
    }
  }

  private func open(_ url: Secret) throws(StoreError) -> PGConnection {
    try PGConnection.connect(url: url, applicationName: "test", timeout: .seconds(10))
  }

  private func deliver(_ text: String, _ connection: PGConnection) throws {
    #expect(try Migrator(connection).apply().count == Migration.all.count + 2)
    try Migrator(connection).verify()
    let before = try #require(try connection.query("SELECT pg_current_snapshot()")[0][0].flatMap(Snapshot.init))
    let data = "{\"text\": \"\(text)\"}"
    let id = try connection.insert(user: "7", data: data)
    try connection.delta(since: before, timeout: .seconds(5))
    var marks: [PendingMark] = []
    while let item = try connection.next() {
      guard case .row(_, let key, let user, _, let bytes) = item else { continue }
      #expect(user == UserID(7) && String(decoding: bytes, as: UTF8.self) == data)
      marks.append(PendingMark(key: key, user: UserID(7)))
    }
    #expect(marks.map { String($0.key.id) } == [id])
    #expect(try connection.markSent(marks, in: 1, timeout: .seconds(5)).marked == 1)
    let ticket = try connection.query("SELECT octet_length(notify_bridge.issue_ticket('7'))")
    #expect(ticket == [["47"]])
    try connection.query("CREATE TABLE public.mail (id integer PRIMARY KEY, user_id integer, data jsonb)")
    let steps = try connection.query("SELECT step FROM notify_bridge.attach('public.mail')")
    #expect(steps.contains(["did"]))
  }
}
