import NotifyCore
import Testing

@Suite("A snapshot")
struct SnapshotTests {
  @Test("A snapshot reads and writes PostgreSQL's text form", arguments: ["3:3:", "10:20:10,14,15", "7:9:7,8"])
  func roundTrip(text: String) throws {
    let snapshot = try #require(Snapshot(text))
    #expect(snapshot.description == text)
  }

  @Test(
    "is nil for a text that is none",
    arguments: ["", "3", "3:3", "a:3:", "5:3:", "3:9:2", "3:9:9", "3:9:5,4", "3:9:5,5", "-1:3:", "3:9:5:", "3:9:x"])
  func malformed(text: String) {
    #expect(Snapshot(text) == nil)
  }

  @Test("A snapshot sees transactions below xmax that are not in progress")
  func visibility() {
    let snapshot = Snapshot(xmax: 20, xip: [10, 14, 15])
    let seen = (8..<23).filter { snapshot.sees(UInt64($0)) }
    #expect(seen == [8, 9, 11, 12, 13, 16, 17, 18, 19])
    #expect(snapshot.xmin == 10)
  }

  @Test("A lowered snapshot claims nothing at or above the limit")
  func lowered() {
    let snapshot = Snapshot(xmax: 20, xip: [10, 14, 15])
    #expect(snapshot.lowered(to: 15) == Snapshot(xmax: 15, xip: [10, 14]))
    #expect(snapshot.lowered(to: 9) == Snapshot(xmax: 9))
    #expect(snapshot.lowered(to: 20) == snapshot)
  }
}

@Suite("An epoch")
struct EpochTests {
  @Test("An epoch differs between clusters, timelines, databases and catalogues, and is the same in every process")
  func distinct() {
    let epochs = [
      Epoch(systemIdentifier: 7_300_000_000_000_000_001, timeline: 1),
      Epoch(systemIdentifier: 7_300_000_000_000_000_001, timeline: 2),
      Epoch(systemIdentifier: 7_300_000_000_000_000_002, timeline: 1),
      Epoch(systemIdentifier: 7_300_000_000_000_000_001, timeline: 1, database: 16_384),
      Epoch(systemIdentifier: 7_300_000_000_000_000_001, timeline: 1, database: 16_385),
      Epoch(systemIdentifier: 7_300_000_000_000_000_001, timeline: 1, database: 16_384, catalog: 16_385),
    ]
    #expect(Set(epochs).count == epochs.count)
    #expect(epochs.allSatisfy { $0.text.utf8.count == 6 })
    #expect(Epoch(systemIdentifier: 1, timeline: 1).text == Epoch(systemIdentifier: 1, timeline: 1).text)
  }
}

@Suite("A cursor")
struct CursorTests {
  let epoch = Epoch(systemIdentifier: 42, timeline: 1)

  @Test("A cursor is read as it was written")
  func roundTrip() {
    let cursor = Cursor(epoch: epoch, snapshot: Snapshot(xmax: 2_000, xip: [1_000, 1_500]), durable: 5_000)
    #expect(Cursor.read(cursor.text, epoch: epoch) == .cursor(Snapshot(xmax: 2_000, xip: [1_000, 1_500])))
  }

  @Test("A cursor that names tables counts as long as none of them can be read")
  func omittedTables() {
    let snapshot = Snapshot(xmax: 2_000, xip: [1_000])
    let cursor = Cursor(epoch: epoch, snapshot: snapshot, durable: 5_000, omitted: [3, 40])
    #expect(Cursor.read(cursor.text, epoch: epoch, missing: [2, 3, 40]) == .cursor(snapshot))
    #expect(Cursor.read(cursor.text, epoch: epoch, missing: [3]) == .foreign)
    #expect(Cursor.read(cursor.text, epoch: epoch) == .foreign)
    let whole = Cursor(epoch: epoch, snapshot: snapshot, durable: 5_000)
    #expect(Cursor.read(whole.text, epoch: epoch, missing: [3]) == .cursor(snapshot))
  }

  @Test("A cursor lowers xmax to the fifth transaction in progress, so that more is replayed and never less")
  func manyInProgress() {
    let snapshot = Snapshot(xmax: 100, xip: [10, 20, 30, 40, 50, 60])
    let cursor = Cursor(epoch: epoch, snapshot: snapshot, durable: 1_000)
    #expect(cursor.snapshot == Snapshot(xmax: 50, xip: [10, 20, 30, 40]))
    for txid in UInt64(1)..<120 where cursor.snapshot.sees(txid) {
      #expect(snapshot.sees(txid))
    }
  }

  @Test("A cursor claims nothing above the newest durable transaction")
  func durable() {
    let cursor = Cursor(epoch: epoch, snapshot: Snapshot(xmax: 100), durable: 60)
    #expect(cursor.snapshot.xmax == 61)
  }

  @Test("An empty or missing text is no cursor")
  func none() {
    #expect(Cursor.read(nil, epoch: epoch) == .none)
    #expect(Cursor.read("", epoch: epoch) == .none)
  }

  @Test(
    "is foreign where it can't be read or is of another epoch",
    arguments: [
      "zzzzzz.10", "EPOCH", "EPOCH.", "EPOCH.-5", "EPOCH.+5", "EPOCH.0", "EPOCH.10.10", "EPOCH.10.5.4",
      "EPOCH.10.1.2.3.4.5", "EPOCH.10..", "EPOCH.zzzzzzzzzzzzzz", "EPOCH.1 0", "\u{0}", "EPOCH.1.\u{1F600}",
      "EPOCH\u{604}.10", "EPOCH.10.\u{301}5",
      "EPOCH." + String(repeating: "1", count: 200),
    ])
  func foreign(text: String) {
    let given = text.replacing("EPOCH", with: epoch.text)
    #expect(Cursor.read(given, epoch: epoch) == .foreign)
  }

  @Test("A cursor has at most 128 characters that need no escaping in a URL, whatever its ids")
  func length() {
    let top = UInt64(Int64.max)
    let cursor = Cursor(
      epoch: epoch, snapshot: Snapshot(xmax: top, xip: [top - 4, top - 3, top - 2, top - 1]), durable: top,
      omitted: (0..<Int32(Limits.cursorTables)).map { .max - $0 })
    #expect(cursor.text.utf8.count <= Limits.cursorBytes)
    #expect(cursor.text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == ".") })
    #expect(Cursor.read(cursor.text, epoch: epoch, missing: cursor.omitted) == .cursor(cursor.snapshot))
  }
}

@Suite("A user id")
struct UserIDTests {
  @Test(
    "is a number only in its canonical form",
    arguments: [
      ("7", 7), ("-7", -7), ("0", 0), ("07", nil), ("+7", nil), (" 7", nil), ("7.0", nil), ("abc", nil), ("-0", nil),
      ("9223372036854775807", Int64.max), ("9223372036854775808", nil), ("-9223372036854775808", Int64.min),
      ("-9223372036854775809", nil), ("-", nil), ("7a", nil),
    ] as [(String, Int64?)])
  func integer(text: String, number: Int64?) {
    #expect(UserID(text)?.integer == number)
  }

  @Test("An empty or overlong text is no user id")
  func bounds() {
    #expect(UserID("") == nil)
    #expect(UserID(String(repeating: "a", count: 128)) != nil)
    #expect(UserID(String(repeating: "a", count: 129)) == nil)
  }

  @Test("User ids whose bytes differ are different, although the characters look the same")
  func bytes() {
    #expect(UserID("\u{212B}") != UserID("\u{C5}"))
    #expect(UserID("\u{F900}") != UserID("\u{8C48}"))
    #expect(Set([UserID("\u{F900}"), UserID("\u{8C48}")]).count == 2)
  }

  @Test("A user id is the same as a number and as text")
  func equality() {
    #expect(UserID(42) == UserID("42"))
    #expect(UserID(42).group == "user_42_notifications")
  }
}
