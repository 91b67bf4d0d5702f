/// Keeps for each user with unsent rows the oldest one's transaction, so that a look-up need not search sent rows.
///
/// The count errs on the high side only: a row counted twice keeps an entry that could go, a row never counted would be
/// lost to look-ups. A value; its owner guards it.
package struct UnsentIndex: Sendable, Equatable {
  private struct Unsent: Sendable, Equatable {
    var oldest: UInt64
    var rows: Int
  }

  private var entries: [UserID: Unsent] = [:]
  private let limit: Int
  /// Tells an index from its successor: a scan counts only for the index that it began with.
  package let version: Int
  private var isScanned = false
  /// All unsent rows of transactions below this one were counted.
  private var floor: UInt64 = 0
  private var isOverLimit = false
  /// Tables that can't be read, so that their unsent rows are not in any replay at present.
  package var omitted: [Int32] = []
  /// The tables that were scanned.
  package private(set) var scanned: [Int32] = []

  /// - Parameter limit: users to remember (`Limits.rememberedUsers`).
  package init(limit: Int, version: Int = 0) {
    self.limit = limit
    self.version = version
  }

  /// Users that are remembered.
  package var users: Int { entries.count }
  /// Whether look-ups of users without entry are bounded.
  package var isComplete: Bool { isScanned && !isOverLimit }

  /// The bound for a look-up of a user's unsent rows: none has a lower txid. 0 where nothing is known.
  package func lowest(_ user: UserID) -> UInt64 {
    guard isComplete else { return 0 }
    return entries[user]?.oldest ?? floor
  }

  /// Whether it is certain that no routed row of a user is unsent.
  package func hasNone(_ user: UserID) -> Bool { isComplete && entries[user] == nil }

  /// Rows of a user are about to be routed.
  package mutating func add(_ user: UserID, oldest: UInt64, rows: Int) {
    if let place = entries.index(forKey: user) {
      entries.values[place].oldest = min(entries.values[place].oldest, oldest)
      entries.values[place].rows += rows
    } else if entries.count < limit {
      entries[user] = Unsent(oldest: oldest, rows: rows)
    } else {
      isOverLimit = true
    }
  }

  /// A row was marked sent by this bridge.
  package mutating func remove(_ row: PendingMark) {
    // A row older than the entry was never counted in it.
    guard let place = entries.index(forKey: row.user), row.key.txid >= entries.values[place].oldest else { return }
    entries.values[place].rows -= 1
    if entries.values[place].rows == 0 { entries.remove(at: place) }
  }

  /// A delta was read to its end and its rows were added: all others have a txid of `xmin` or more.
  package mutating func deltaEnded(xmin: UInt64) { floor = xmin }

  /// The scan of tables has ended, and the rows that it found were added.
  package mutating func scanEnded(of tables: [Int32] = []) {
    isScanned = true
    scanned = tables
  }
}
