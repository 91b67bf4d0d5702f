/// The transactions that a statement could see: PostgreSQL's `pg_snapshot` (xmin, xmax and those in progress between).
///
/// A committed transaction `t` is visible where `t < xmax` and `t` is not in `xip`.
package struct Snapshot: Equatable, Sendable, CustomStringConvertible {
  /// All transactions below this one have ended.
  package let xmin: UInt64
  /// The first transaction id not assigned yet.
  package let xmax: UInt64
  /// Transactions in progress, ascending, each in `xmin ..< xmax`.
  package let xip: [UInt64]

  /// Makes a snapshot.
  ///
  /// - Parameter xip: ascending ids below `xmax`.
  package init(xmax: UInt64, xip: [UInt64] = []) {
    self.xmin = xip.first ?? xmax
    self.xmax = xmax
    self.xip = xip
  }

  /// Reads `pg_snapshot`'s text form, `xmin:xmax:xip,xip,…`; nil where it is none.
  package init?(_ text: String) {
    var xmin: UInt64?
    var xmax: UInt64?
    var xip: [UInt64] = []
    var number: UInt64?
    // Byte by byte: this is read with every delta.
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"):
        let (product, isTooLarge) = (number ?? 0).multipliedReportingOverflow(by: 10)
        let (sum, isCarried) = product.addingReportingOverflow(UInt64(byte - UInt8(ascii: "0")))
        if isTooLarge || isCarried { return nil }
        number = sum
      case UInt8(ascii: ":") where xmax == nil:
        guard let bound = number else { return nil }
        if xmin == nil { xmin = bound } else { xmax = bound }
        number = nil
      case UInt8(ascii: ",") where xmax != nil:
        guard let id = number else { return nil }
        xip.append(id)
        number = nil
      default:
        return nil
      }
    }
    guard let xmin, let xmax, xmin <= xmax, number != nil || xip.isEmpty else { return nil }
    if let id = number { xip.append(id) }
    guard zip(xip, xip.dropFirst()).allSatisfy(<) else { return nil }
    if let first = xip.first, let last = xip.last, first < xmin || last >= xmax { return nil }
    self.xmin = xmin
    self.xmax = xmax
    self.xip = xip
  }

  /// Whether a *committed* transaction is visible.
  package func sees(_ txid: UInt64) -> Bool {
    if txid < xmin { return true }
    if txid >= xmax { return false }
    var low = 0
    var high = xip.count
    while low < high {
      let middle = (low + high) / 2
      if xip[middle] < txid { low = middle + 1 } else { high = middle }
    }
    return low == xip.count || xip[low] != txid
  }

  /// The same snapshot claiming nothing from `limit` on.
  ///
  /// After a crash PostgreSQL hands ids out again that had not reached the disk: only what is below a transaction known
  /// to be durable can still be claimed.
  package func lowered(to limit: UInt64) -> Snapshot {
    guard xmax > limit else { return self }
    return Snapshot(xmax: limit, xip: xip.filter { $0 < limit })
  }

  /// `pg_snapshot`'s text form.
  package var description: String {
    "\(xmin):\(xmax):\(xip.map(String.init).joined(separator: ","))"
  }
}
