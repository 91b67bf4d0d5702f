import NotifyCore
import Synchronization

@testable import NotifyStore

/// Writes rows in transactions of one kind after the other, until it is told to stop.
actor Writer {
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  private nonisolated let thread = DedicatedThread(name: "writer")

  /// What a transaction does around its INSERT.
  enum Kind: CaseIterable {
    case single
    /// Open while the doorbell changes.
    case held
    /// Its statement's snapshot is old when it writes.
    case slow
    case savepoint
    case rolledBack
    /// Their snapshots are taken long before they write.
    case repeatableRead
    case serializable
    /// Refused where it has rung.
    case prepared
    /// Never rings.
    case silent

    var isPrepared: Bool { self == .prepared || self == .silent }

    /// - Parameters:
    ///   - hold: for how many seconds it stays open.
    ///   - name: what it is prepared under.
    func sql(hold: Double, name: String) -> String {
      let insert = "INSERT INTO public.notification (user_id, data) SELECT 1, '\"\(self)\"'"
      let sleep = "SELECT pg_sleep(\(hold))"
      return switch self {
      case .single: insert
      case .held: "BEGIN; \(insert); \(sleep); COMMIT"
      case .slow: "\(insert) FROM pg_sleep(\(hold))"
      case .savepoint: "BEGIN; SAVEPOINT a; \(insert); ROLLBACK TO a; \(insert); \(sleep); COMMIT"
      case .rolledBack: "BEGIN; \(insert); ROLLBACK"
      case .repeatableRead: "BEGIN ISOLATION LEVEL REPEATABLE READ; \(sleep); \(insert); COMMIT"
      case .serializable: "BEGIN ISOLATION LEVEL SERIALIZABLE; \(sleep); \(insert); COMMIT"
      case .prepared: "BEGIN; \(insert); PREPARE TRANSACTION '\(name)'"
      case .silent: "BEGIN; SET LOCAL notify_bridge.two_phase = on; \(insert); PREPARE TRANSACTION '\(name)'"
      }
    }
  }

  private let connection: PGConnection
  private let name: String
  private let kinds: [Kind]
  private let stop: StopFlag
  private var generator: SystemRandomNumberGenerator = .init()

  init(_ url: Secret, name: String, kinds: [Kind], stop: StopFlag) throws {
    connection = try PGConnection.connect(url: url, applicationName: name, timeout: .seconds(10))
    try connection.useSearchPathOfRole()
    self.name = name
    self.kinds = kinds
    self.stop = stop
  }

  func run() throws {
    while !stop.isSet { try write(kinds.randomElement(using: &generator) ?? .single) }
  }

  private func write(_ kind: Kind) throws {
    // One of many outlasts several changes of the doorbell; most are as short as one.
    let hold = Double.random(in: 0...1) < 0.02 ? 0.08 : Double.random(in: 0...0.004)
    do {
      try connection.query(kind.sql(hold: hold, name: name))
      guard kind.isPrepared else { return }
      try connection.query("SELECT pg_sleep(\(hold))")
      try connection.query("COMMIT PREPARED '\(name)'")
    } catch {
      // It had rung, so it can't be prepared; or its snapshot was too old.
      guard ["0A000", "40001"].contains(error.sqlstate) else { throw error }
      try connection.query("ROLLBACK")
    }
  }
}

/// Tells several threads to stop.
final class StopFlag: Sendable {
  private let flag = Atomic<Bool>(false)
  var isSet: Bool { flag.load(ordering: .acquiring) }
  func set() { flag.store(true, ordering: .releasing) }
}
