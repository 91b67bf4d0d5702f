internal import Synchronization

/// The tables that all connections serve, published by the delta fetcher.
final class ServedTables: Sendable {
  private let state = Mutex<(version: UInt64, mappings: [TableMapping])>((0, []))

  /// Replaces the tables.
  func publish(_ mappings: [TableMapping]) {
    state.withLock { $0 = ($0.version + 1, mappings) }
  }

  /// The tables, where they were published after `version`; else nil.
  func mappings(since version: UInt64) -> (version: UInt64, mappings: [TableMapping])? {
    state.withLock { $0.version == version ? nil : $0 }
  }
}
