import Foundation
package import NotifyCore
import NotifyStore
import Synchronization

/// The demo page's connection: inserts rows as a backend does, and reads which of them were sent.
package final class DemoDatabase: Sendable {
  /// Requests that may wait; more are refused.
  private static let maximumWaiting = 64
  private static let statement: Duration = .seconds(3)

  /// Only touched on `queue`.
  private final class Box: @unchecked Sendable {
    var connection: PGConnection?
  }

  private let url: Secret
  private let queue = DispatchQueue(label: "demo-database")
  private let box = Box()
  private let waiting = Atomic<Int>(0)

  package init(url: Secret) { self.url = url }

  /// Inserts a row.
  ///
  /// - Parameter data: JSON text.
  /// - Returns: the row's id, an integer.
  package func insert(user: String, data: String) async throws -> String {
    try await perform { connection throws(StoreError) in
      try connection.insert(user: user, data: data, timeout: Self.statement)
    }
  }

  /// Which of these rows were sent.
  package func sent(_ ids: [Int64]) async throws -> [Int64] {
    let list = "{" + ids.map(String.init).joined(separator: ",") + "}"
    let rows = try await perform { connection throws(StoreError) in
      try connection.query(
        "SELECT id FROM public.notification WHERE id = ANY ($1::bigint[]) AND sent_at IS NOT NULL", [list],
        timeout: Self.statement)
    }
    return rows.compactMap { row in (row.first ?? nil).flatMap { Int64($0) } }
  }

  private func perform<Value: Sendable>(
    _ work: @escaping @Sendable (PGConnection) throws(StoreError) -> Value
  ) async throws -> Value {
    guard waiting.add(1, ordering: .relaxed).newValue <= Self.maximumWaiting else {
      waiting.subtract(1, ordering: .relaxed)
      throw DevError("too many requests wait for the database")
    }
    defer { waiting.subtract(1, ordering: .relaxed) }
    return try await withCheckedThrowingContinuation { continuation in
      queue.async { [self] in
        continuation.resume(
          with: Result {
            let connection = try box.connection ?? DevConnection.open(url, timeout: Self.statement)
            box.connection = connection
            do {
              return try work(connection)
            } catch {
              // A broken connection is dropped: the next request connects anew.
              if !connection.isConnected { box.connection = nil }
              throw error
            }
          })
      }
    }
  }
}
