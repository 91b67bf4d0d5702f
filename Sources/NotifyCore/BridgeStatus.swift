import Synchronization

/// The bridge's condition, set by the store and the gateway, read by `/readyz` and by connects that can't be served yet.
package final class BridgeStatus: Sendable {
  /// A part of the bridge that isn't ready, and the reason.
  package struct Failing: Sendable, Equatable {
    /// `database`, `listening`, a connection (`mark`, `replay`, `auth`, `maintenance`), `table` or `draining`.
    package let part: String
    /// One line for a person; no secret.
    package let reason: String
    /// The table that fails.
    package var table: String?
  }

  /// A table that is not served.
  package struct TableProblem: Sendable, Equatable, CustomStringConvertible {
    package let table: String
    /// One line for a person; no secret.
    package let reason: String

    package init(table: String, reason: String) {
      self.table = table
      self.reason = reason
    }

    package var description: String { "\(table): \(reason)" }
  }

  /// A table that is set aside as a whole.
  package struct QuarantinedTable: Sendable, Equatable {
    package let table: String
    /// What fails: `read`, `mark` or `purge`.
    package let stage: String

    package init(table: String, stage: String) {
      self.table = table
      self.stage = stage
    }
  }

  private struct State {
    var database: String? = "not connected yet"
    var isListening = false
    /// The connections beside the listening one that don't work, each with the reason.
    var connections: [String: String] = [:]
    var tables: [TableProblem] = []
    var isDraining = false
    var quarantined: [QuarantinedTable] = []
    var lastContact: ContinuousClock.Instant?
  }

  private let state = Mutex(State())
  private let tables = Mutex(TableCatalog())

  /// Starts as not connected.
  package init() {}

  /// The tables whose rows are delivered.
  package var catalog: TableCatalog {
    get { tables.withLock { $0 } }
    set { tables.withLock { $0 = newValue } }
  }

  /// The database is away.
  ///
  /// - Parameter reason: one line, no secret.
  package func databaseLost(_ reason: String) {
    state.withLock {
      $0.database = reason
      $0.isListening = false
    }
  }

  /// The bridge listens and has fetched.
  package func listening(at now: ContinuousClock.Instant) {
    state.withLock {
      $0.database = nil
      $0.isListening = true
      $0.lastContact = now
    }
  }

  /// A connection beside the listening one works, or does not.
  ///
  /// - Parameter reason: one line, no secret; nil where it works.
  package func connection(_ name: String, fails reason: String?) {
    state.withLock { $0.connections[name] = reason }
  }

  /// Tables are not served.
  package func tablesFailing(_ problems: [TableProblem]) {
    state.withLock { $0.tables = problems }
  }

  /// The tables that are set aside as a whole. The bridge is ready all the same: the others go on.
  package var quarantined: [QuarantinedTable] {
    get { state.withLock { $0.quarantined } }
    set { state.withLock { $0.quarantined = newValue } }
  }

  /// Whether the listening connection works, as far as is known.
  package var isListening: Bool { state.withLock { $0.isListening } }

  /// The database has just answered.
  package func databaseAnswered(at now: ContinuousClock.Instant) {
    state.withLock { $0.lastContact = now }
  }

  /// No new connection is accepted.
  package func draining() {
    state.withLock { $0.isDraining = true }
  }

  /// Whether a connection to the database is missing, of those that rows need.
  package var lacksConnection: Bool {
    state.withLock { $0.database != nil || !$0.isListening || !$0.connections.isEmpty }
  }

  /// The parts that aren't ready; empty when all are.
  ///
  /// A database that has not answered for `Limits.silence` is away, whatever the socket's state.
  package func failing(at now: ContinuousClock.Instant) -> [Failing] {
    state.withLock { state in
      var failing: [Failing] = []
      if let reason = state.database {
        failing.append(Failing(part: "database", reason: reason))
      } else if let last = state.lastContact, now - last > Limits.silence {
        failing.append(Failing(part: "database", reason: "no answer for \((now - last).components.seconds) s"))
      }
      if !state.isListening { failing.append(Failing(part: "listening", reason: "LISTEN is not active")) }
      // A database that is away has none of them, which needs no line for each.
      if failing.isEmpty {
        failing += state.connections.sorted { $0.key < $1.key }.map { Failing(part: $0.key, reason: $0.value) }
      }
      failing += state.tables.map { Failing(part: "table", reason: $0.reason, table: $0.table) }
      if state.isDraining { failing.append(Failing(part: "draining", reason: "the bridge is stopping")) }
      return failing
    }
  }
}
