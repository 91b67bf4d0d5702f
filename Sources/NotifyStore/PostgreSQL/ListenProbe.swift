package import NotifyCore

/// Tries whether notifications reach a waiting connection. Many poolers drop them without an error.
package enum ListenProbe {
  private static let statement: Duration = .milliseconds(1_500)

  /// Listens on a random channel and notifies it from another connection.
  ///
  /// A second connection is needed: a pooler may pass on a connection's own notification while it runs a statement.
  ///
  /// - Parameter url: the server of the connection.
  /// - Returns: whether the notification arrived.
  package static func receivesNotifications(_ connection: PGConnection, at url: Secret) throws(StoreError) -> Bool {
    let channel = "notify_bridge_check_\(UInt32.random(in: 0...UInt32.max))"
    try connection.listen(channel, timeout: statement)
    let notifier = try PGConnection.connect(url: url, applicationName: "notify-bridge check", timeout: .seconds(2))
    defer { notifier.close() }
    try notifier.query("SELECT pg_catalog.pg_notify($1, '')", [channel], timeout: statement)
    let deadline = ContinuousClock.now + statement
    var arrived = false
    // A wake ends a wait too.
    while !arrived, ContinuousClock.now < deadline {
      arrived = try connection.wait(deadline - ContinuousClock.now).doorbells > 0
    }
    try connection.query("UNLISTEN \(channel)", timeout: statement)
    return arrived
  }
}
