import CoreMetrics
import NotifyCore
import TestSupport
import Testing

@testable import NotifyStore

/// A migrated database of a private cluster, and what serves it.
struct ServedDatabase {
  let cluster: TestCluster
  let store: Store
  /// The backend's connection.
  let connection: PGConnection
  let sink: RecordingSink

  /// - Parameters:
  ///   - sql: what the backend has done before.
  ///   - isPresent: whether a user has sockets.
  init(_ sql: String = "", isPresent: @escaping @Sendable (UserID) -> Bool = { _ in true }) throws {
    sink = RecordingSink(isPresent: isPresent)
    cluster = try TestCluster()
    let url = try cluster.database("served")
    connection = try PGConnection.connect(url: url, applicationName: "test", timeout: .seconds(10))
    try connection.useSearchPathOfRole()
    if !sql.isEmpty { try connection.query(sql) }
    store = Store(
      settings: StoreSettings(url: url, version: "test", retentionDays: 0), limits: Limits(), status: BridgeStatus(),
      metrics: BridgeMetrics(factory: NOOPMetricsHandler.instance), logger: .silent)
  }
}

/// A suite with a database of its own.
protocol ServesDatabase {
  var database: ServedDatabase { get }
}

extension ServesDatabase {
  var store: Store { database.store }
  var connection: PGConnection { database.connection }
  var sink: RecordingSink { database.sink }

  /// Fetches and replays, with `others`, until `body` has ended. The bridge listens when it begins.
  ///
  /// - Parameter other: in place of `store`.
  func run(
    _ others: [any DatabaseService] = [], of other: Store? = nil, _ body: (ReplayReader) async throws -> Void
  ) async throws {
    let store = other ?? store
    let fetcher = try DeltaFetcher(store, sink: sink)
    let replays = try ReplayReader(store)
    try await withThrowingTaskGroup(of: Void.self) { group in
      group.addTask { try await fetcher.run() }
      group.addTask { try await replays.run() }
      for other in others { group.addTask { try await other.run() } }
      _ = await replays.page(UserID(1))
      try await body(replays)
      group.cancelAll()
    }
  }
}
