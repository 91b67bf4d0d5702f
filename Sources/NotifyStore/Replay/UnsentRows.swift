internal import NotifyCore
internal import Synchronization

/// The index of unsent rows, shared by the services.
final class UnsentRows: Sendable {
  private let limit: Int
  private let index: Mutex<UnsentIndex>

  /// - Parameter limit: users to remember (`Limits.rememberedUsers`).
  init(limit: Int) {
    self.limit = limit
    index = Mutex(UnsentIndex(limit: limit))
  }

  /// Reads or changes the index.
  func withLock<Result>(_ body: (inout UnsentIndex) -> Result) -> Result {
    index.withLock { body(&$0) }
  }

  /// Starts a new index: nothing known of the database's rows holds any more.
  func forget() { index.withLock { forget(&$0) } }

  /// Starts a new index unless the rows of this table were counted by the scan.
  func forget(unlessScanned table: Int32) {
    index.withLock { if !$0.scanned.contains(table) { forget(&$0) } }
  }

  /// The rows of these tables can't be read at present.
  func omit(_ tables: [Int32]) { index.withLock { $0.omitted = tables } }

  private func forget(_ index: inout UnsentIndex) {
    let omitted = index.omitted
    index = UnsentIndex(limit: limit, version: index.version + 1)
    index.omitted = omitted
  }
}
