/// Names one history of one database cluster: transaction ids and row ids mean nothing outside of it.
package struct Epoch: Hashable, Sendable, CustomStringConvertible {
  /// Six characters of `0-9a-z`.
  package let text: String

  /// - Parameters:
  ///   - systemIdentifier: `pg_control_system()`'s, made by initdb.
  ///   - timeline: the cluster's timeline, which a promotion or a restore counts up.
  ///   - database: the database's oid: a restore after DROP DATABASE has another.
  ///   - catalog: the oid of a table of ours: a restore that drops objects and makes them again has another.
  package init(systemIdentifier: UInt64, timeline: UInt32, database: UInt32 = 0, catalog: UInt32 = 0) {
    // FNV-1a, 64 bits (Fowler, Noll, Vo): stable between runs, which Swift's own hashing isn't.
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for (value, bits) in [
      (systemIdentifier, 64), (UInt64(timeline), 32), (UInt64(database), 32), (UInt64(catalog), 32),
    ] {
      for shift in stride(from: 0, to: bits, by: 8) {
        hash = (hash ^ ((value >> UInt64(shift)) & 0xff)) &* 0x0000_0100_0000_01b3
      }
    }
    let digits = String(hash % 2_176_782_336, radix: 36)  // 36⁶
    self.text = String(repeating: "0", count: 6 - digits.count) + digits
  }

  package var description: String { text }
}
