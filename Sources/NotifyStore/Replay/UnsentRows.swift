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
  func forget() {
    index.withLock { $0 = UnsentIndex(limit: limit, version: $0.version + 1) }
  }
}
