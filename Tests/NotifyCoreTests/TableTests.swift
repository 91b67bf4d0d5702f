import Foundation
import NotifyCore
import TestSupport
import Testing

@Suite("The served tables and the names of their rows")
struct TableTests {
  let one = TableCatalog([.init(number: 3, name: "public.notification", recipientKind: .integer)])
  let two = TableCatalog([
    .init(number: 3, name: "public.notification", recipientKind: .uuid),
    .init(number: 4, name: #"shop."Order""#, recipientKind: .text),
  ])

  @Test("Messages name their table where several are served, and only then")
  func names() {
    #expect(!one.isNamed && one.jsonName(of: 3) == nil)
    #expect(one.table(named: nil)?.number == 3 && one.table(named: "public.notification")?.number == 3)
    #expect(one.table(named: "public.other")?.number == nil)
    #expect(two.jsonName(of: 4) == #""shop.\"Order\"""#)
    #expect(two.table(named: nil)?.number == nil && two.table(named: #"shop."Order""#)?.number == 4)
    #expect(TableCatalog().table(named: nil)?.number == nil)
  }

  @Test("Where recipients are uuids, every spelling of one is the same user, and elsewhere none is changed")
  func spellings() throws {
    let uuid = "0f8fad5b-d9cb-469f-a165-70867728950e"
    for text in [uuid, uuid.uppercased(), uuid.replacing("-", with: ""), uuid.uppercased().replacing("-", with: "")] {
      let user = try #require(UserID(text))
      #expect(user.canonical(among: two).text == uuid)
      #expect(user.canonical(among: one).text == text)
    }
    for text in [
      "0f8fad5bd9cb-469f-a165-70867728950e", "0f8fad5b-d9cb-469f-a165-70867728950", "g\(uuid.dropFirst())", "7",
    ] {
      let user = try #require(UserID(text))
      #expect(user.canonical(among: two) == user)
    }
    let user = try #require(UserID(uuid))
    #expect(two.canHold(user) && !one.canHold(user))
  }

  @Test("A client may write any id as a string, which keeps all digits of a large number")
  func ids() {
    #expect(RowID.text("9007199254740993").fitted(to: .integer) == .integer(9_007_199_254_740_993))
    #expect(RowID.text("-7").fitted(to: .integer) == .integer(-7))
    #expect(RowID.integer(7).fitted(to: .text) == .text("7"))
    for (id, kind) in [(RowID.text("07"), ColumnKind.integer), (.text("7.0"), .integer), (.integer(7), .uuid)] {
      #expect(id.fitted(to: kind) == id && !id.fits(kind))
    }
    let uuid = "0F8FAD5B-D9CB-469F-A165-70867728950E"
    #expect(RowID.text(uuid).fitted(to: .uuid) == .text(uuid.lowercased()))
    var text = #"{"type":"ack","ids":[9007199254740993,-9223372036854775808,"9223372036854775807"]}"#
    let large = text.withUTF8 { ClientMessage.read(UnsafeRawBufferPointer($0)) }
    #expect(
      large == .acknowledge([9_007_199_254_740_993, .integer(.min), .text("9223372036854775807")], source: nil))
  }

  @Test("A user's id is a number on the wire where some table's recipients are integers")
  func numbers() {
    #expect(one.hasIntegerRecipients && !two.hasIntegerRecipients)
    #expect(JSONText.user(UserID(7), integerColumn: true) == "7")
    #expect(JSONText.user(UserID(7), integerColumn: false) == #""7""#)
  }

  @Test("Ids are ordered as PostgreSQL orders them")
  func order() {
    #expect(RowID.integer(9) < .integer(10) && RowID.integer(-1) < .integer(0))
    // As COLLATE "C": capital letters before small ones, "10" before "9".
    #expect(RowID.text("10") < .text("9") && RowID.text("Z") < .text("a") && RowID.text("z") < .text("é"))
    let keys = [(2, 1, 1), (1, 2, 1), (1, 1, 9), (1, 1, 2)].map { txid, table, id in
      RowKey(txid: txid, row: RowName(table: table, id: .integer(Int64(id))))
    }
    #expect(keys.sorted() == keys.reversed())
  }

  @Test("Texts that only look the same are different ids")
  func spelling() {
    let (composed, decomposed) = (RowID.text("\u{e9}"), RowID.text("e\u{301}"))
    #expect(composed != decomposed && Set([composed, decomposed]).count == 2)
    #expect(RowID.text("7") != .integer(7))
  }

  @Test(
    "a column takes what it can hold and nothing else",
    arguments: [
      ("7", [.integer, .text]), ("-7", [.integer, .text]), ("07", [.text]), ("9223372036854775808", [.text]),
      ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", [.uuid, .text]), ("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", [.text]),
      ("a0eebc999c0b4ef8bb6d6bb9bd380a11", [.text]), ("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", [.text]),
    ] as [(String, Set<ColumnKind>)])
  func kinds(text: String, fitting: Set<ColumnKind>) throws {
    let user = try #require(UserID(text))
    for kind in [ColumnKind.integer, .uuid, .text] {
      #expect(user.fits(kind) == fitting.contains(kind))
      if kind != .integer { #expect(RowID.text(text).fits(kind) == fitting.contains(kind)) }
    }
    #expect(RowID.integer(7).fits(.integer) && !RowID.integer(7).fits(.text) && !RowID.text("7").fits(.integer))
  }

  @Test("Each frame of a batch names its table, where there are several")
  func frames() {
    for list in [one, two] {
      var builder = BatchBuilder(catalog: list)
      "1".withCString { pointer in
        builder.add(
          user: UserID(1), key: RowKey(txid: 5, row: RowName(table: 3, id: .text("a"))), createdAt: nil,
          data: UnsafeRawBufferPointer(start: pointer, count: 1))
      }
      let snapshot = Snapshot(xmax: 6)
      let batch = builder.finish(base: snapshot, snapshot: snapshot, cursor: nil)
      let text = String(decoding: batch.bytes.dropFirst(2), as: UTF8.self)
      let source = list.isNamed ? #","source":"public.notification""# : ""
      #expect(text == #"{"type":"notification","id":"a"\#(source),"data":1}"#)
    }
  }

  @Test("A table that can't be served is a failing part, until it can")
  func failing() {
    let status = BridgeStatus()
    let now = ContinuousClock.now
    status.listening(at: now)
    status.tablesFailing([BridgeStatus.TableProblem(table: "public.a", reason: "column b is missing")])
    #expect(status.failing(at: now).map(\.part) == ["table"])
    #expect(status.failing(at: now).map(\.table) == ["public.a"])
    #expect(status.failing(at: now).map(\.reason) == ["column b is missing"])
    status.tablesFailing([])
    #expect(status.failing(at: now).isEmpty)
  }
}
