import Foundation
import NotifyCore
import NotifyStore

/// Whether notifications reach a connection that waits, which many poolers prevent without a word.
struct ListenCheck {
  private static let statement: Duration = .milliseconds(1_500)

  let url: Secret

  /// Listens on one connection and notifies from another, with a channel of its own.
  func run(_ report: inout CheckReport) throws {
    let listener = try Database.connect(url, patience: .seconds(2))
    defer { listener.close() }
    let pid = try listener.query("SELECT pg_backend_pid(), pg_is_in_recovery()", timeout: Self.statement).first
    guard pid?[1] != "t" else {
      return report.fail(
        "listen", "the server is a standby, where LISTEN isn't possible", "Point DATABASE_URL at the primary")
    }
    let isPooled = pid?[0] != String(listener.backendPID)
    let channel = "notify_bridge_check_\(UInt32.random(in: 0...UInt32.max))"
    try listener.listen(channel, timeout: Self.statement)
    // From elsewhere: a pooler may hand a connection its own notification while it runs a statement.
    let notifier = try Database.connect(url, patience: .seconds(2))
    defer { notifier.close() }
    try notifier.query("SELECT pg_notify($1, '')", [channel], timeout: Self.statement)
    let arrived = try listener.wait(Self.statement).doorbells > 0
    let remedy = "Set \(ConfigurationKey.databaseListenURL.variable) to a connection past the pooler"
    switch (arrived, isPooled) {
    case (true, false): report.ok("listen", "a notification arrives")
    case (true, true): report.warn("listen", "works through a pooler in session mode", remedy)
    case (false, true):
      report.fail("listen", "DATABASE_URL leads to a pooler in transaction mode, which swallows notifications", remedy)
    case (false, false): report.fail("listen", "a notification did not arrive", remedy)
    }
  }
}
