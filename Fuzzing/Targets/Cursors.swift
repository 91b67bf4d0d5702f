@testable import NotifyCore

/// Cursors and snapshots: `Cursor`, `Snapshot`.
enum Cursors {
  private static let epoch = Epoch(systemIdentifier: 7, timeline: 1)

  static func run(_ input: Input) {
    if let snapshot = Snapshot(input.text) {
      check(Snapshot(snapshot.description) == snapshot, "a snapshot that is written and read is the same")
      for id in snapshot.xip.prefix(8) { check(!snapshot.sees(id), "no transaction in progress is seen") }
      check(!snapshot.sees(snapshot.xmax), "nothing is seen from xmax on")
      if 1...UInt64(Int64.max) ~= snapshot.xmax, snapshot.xip.first != 0 { claims(of: snapshot) }
    }
    // With the epoch in front, or libFuzzer would have to find it.
    for text in [input.text, "\(epoch.text).\(input.text)"] {
      guard case .cursor(let snapshot) = Cursor.read(text, epoch: epoch) else { continue }
      let again = Cursor(epoch: epoch, snapshot: snapshot, durable: UInt64(Int64.max))
      check(again.snapshot == snapshot, "a cursor claims the same")
      check(Cursor.read(again.text, epoch: epoch) == .cursor(snapshot), "a cursor that is written and read is the same")
      check(again.text.utf8.count <= Limits.cursorBytes, "a cursor is within its limit")
      check(
        Cursor.read(text, epoch: Epoch(systemIdentifier: 8, timeline: 1)) == .foreign,
        "another epoch's cursor is foreign")
    }
  }

  /// A cursor never claims more than its snapshot and what is durable.
  private static func claims(of snapshot: Snapshot) {
    for durable in [snapshot.xmin, snapshot.xmax - 1, UInt64(Int64.max)] where durable > 0 {
      let cursor = Cursor(epoch: epoch, snapshot: snapshot, durable: durable)
      check(cursor.text.utf8.count <= Limits.cursorBytes, "a cursor is within its limit")
      check(cursor.snapshot.xmax <= durable + 1, "a cursor claims only what is durable")
      for id in snapshot.xip.prefix(64) { check(!cursor.snapshot.sees(id), "a cursor claims nothing in progress") }
      if cursor.snapshot.xmax > 0 {
        // A server's xmin may be below the first in progress.
        let read = Snapshot(xmax: cursor.snapshot.xmax, xip: cursor.snapshot.xip)
        check(Cursor.read(cursor.text, epoch: epoch) == .cursor(read), "a cursor can be read")
      }
    }
  }
}
