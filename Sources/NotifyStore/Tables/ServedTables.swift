internal import Synchronization

/// The tables that all connections serve, published by the delta fetcher.
final class ServedTables: Sendable {
  /// The tables of one version.
  struct Publication: Sendable {
    var number: UInt64 = 0
    var mappings: [TableMapping] = []
    /// The numbers of those that can't be read.
    var missing: [Int32] = []
  }

  private let state = Mutex(Publication())

  /// Replaces the tables.
  func publish(_ mappings: [TableMapping], missing: [Int32]) {
    state.withLock { $0 = Publication(number: $0.number + 1, mappings: mappings, missing: missing) }
  }

  /// The tables, where they were published after `version`; else nil.
  func version(since number: UInt64) -> Publication? {
    state.withLock { $0.number == number ? nil : $0 }
  }
}
