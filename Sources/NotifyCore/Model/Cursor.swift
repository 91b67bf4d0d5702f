/// A place to resume from: everything that its snapshot sees was written to the connection that was given it.
///
/// On the wire it is opaque: the epoch, `xmax` and the transactions in progress in base 36, joined by dots, and where
/// tables were left out, 0 and their numbers; at most `Limits.cursorBytes` characters of `a–z 0–9 .`.
package struct Cursor: Equatable, Sendable {
  /// The history to which the ids belong.
  package let epoch: Epoch
  /// The transactions whose rows were written already. At most `Limits.cursorTransactions` are in progress in it.
  package let snapshot: Snapshot
  /// Tables that could not be read, and for whose rows it does not vouch. At most `Limits.cursorTables`.
  package let omitted: [Int32]

  /// Makes the cursor that claims what both the snapshot and the newest durable transaction allow.
  ///
  /// Where more transactions are in progress than fit, `xmax` is lowered to the first that doesn't: a little more is
  /// replayed, never less.
  ///
  /// - Parameter durable: the newest transaction of this bridge known to be on disk (`Documentation/database.md`, "Crashes and failover").
  package init(epoch: Epoch, snapshot: Snapshot, durable: UInt64, omitted: [Int32] = []) {
    let claimed = snapshot.lowered(to: durable + 1)
    self.epoch = epoch
    self.omitted = omitted
    if claimed.xip.count > Limits.cursorTransactions {
      self.snapshot = Snapshot(
        xmax: claimed.xip[Limits.cursorTransactions], xip: Array(claimed.xip.prefix(Limits.cursorTransactions)))
    } else {
      self.snapshot = claimed
    }
  }

  /// Its form on the wire.
  package var text: String {
    var text = "\(epoch.text).\(String(snapshot.xmax, radix: 36))"
    for id in snapshot.xip {
      text += "."
      text += String(id, radix: 36)
    }
    if !omitted.isEmpty { text += ".0" }
    for table in omitted {
      text += "."
      text += String(table, radix: 36)
    }
    return text
  }

  /// The meaning of a client's `since`.
  package enum Since: Equatable, Sendable {
    /// No cursor: unsent rows are wanted, and those committed since the connection joined its group.
    case none
    /// A cursor of this epoch.
    case cursor(Snapshot)
    /// One that can't be read, belongs to another epoch, or does not vouch for a table that can be read: unsent rows, and
    /// the client refetches the rest.
    case foreign
  }

  /// Reads a client's `since`. Never fails: a text that can't be read is foreign.
  ///
  /// - Parameter missing: the tables that can't be read now either: their rows are not in the replay.
  package static func read(_ text: String?, epoch: Epoch, missing: [Int32] = []) -> Since {
    guard let text, !text.isEmpty else { return .none }
    guard text.utf8.count <= Limits.cursorBytes else { return .foreign }
    var parts = text.split(separator: ".", omittingEmptySubsequences: false)
    if let mark = parts.firstIndex(of: "0"), mark >= 2 {
      guard parts[(mark + 1)...].allSatisfy({ part in missing.contains { String($0, radix: 36) == part } }) else {
        return .foreign
      }
      parts.removeSubrange(mark...)
    }
    guard parts.count >= 2, parts.count <= 2 + Limits.cursorTransactions, parts[0] == epoch.text else {
      return .foreign
    }
    var ids: [UInt64] = []
    for part in parts.dropFirst() {
      // xid8 fits in 63 bits: PostgreSQL's own functions take it no further.
      guard let id = UInt64(part, radix: 36), id > 0, id <= UInt64(Int64.max), !part.hasPrefix("+") else {
        return .foreign
      }
      ids.append(id)
    }
    let xip = Array(ids.dropFirst())
    guard zip(xip, xip.dropFirst()).allSatisfy(<), xip.last ?? 0 < ids[0] else { return .foreign }
    return .cursor(Snapshot(xmax: ids[0], xip: xip))
  }
}
