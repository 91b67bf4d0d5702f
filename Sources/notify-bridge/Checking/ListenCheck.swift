import Foundation
import NotifyCore
import NotifyStore

/// Checks that notifications reach a waiting connection. Many poolers drop them silently.
struct ListenCheck {
  private static let statement: Duration = .milliseconds(1_500)

  let url: Secret

  /// Listens on one connection and notifies from another.
  func run(_ report: inout CheckReport) throws {
    let connection = try Database.connect(url, timeout: .seconds(2))
    defer { connection.close() }
    guard try connection.query("SELECT pg_is_in_recovery()", timeout: Self.statement).first?.first != "t" else {
      return report.fail(
        "listen", "the server is a standby, where LISTEN isn't possible", "Point DATABASE_URL at the primary")
    }
    let arrived = try ListenProbe.receivesNotifications(connection, at: url)
    let remedy = "Set \(Setting.of(\.store.listenURL).variable) to a connection past the pooler"
    switch (arrived, connection.isPooled) {
    case (true, false): report.ok("listen", "a notification arrives")
    case (true, true): report.warn("listen", "works through a pooler in session mode", remedy)
    case (false, true):
      report.fail("listen", "DATABASE_URL leads to a pooler in transaction mode, which swallows notifications", remedy)
    case (false, false): report.fail("listen", "a notification did not arrive", remedy)
    }
  }
}
