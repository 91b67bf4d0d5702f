package import NotifyCore

/// Whether notifications reach a connection that waits, which many poolers prevent without a word.
package enum ListenProbe {
  private static let statement: Duration = .milliseconds(1_500)

  /// Listens on a channel of its own and notifies from another connection.
  ///
  /// From elsewhere: a pooler may hand a connection its own notification while it runs a statement.
  ///
  /// - Parameter url: where the listener is connected to.
  /// - Returns: whether the notification arrived.
  package static func hears(_ listener: PGConnection, at url: Secret) throws(StoreError) -> Bool {
    let channel = "notify_bridge_check_\(UInt32.random(in: 0...UInt32.max))"
    try listener.listen(channel, timeout: statement)
    let notifier = try PGConnection.connect(url: url, applicationName: "notify-bridge check", timeout: .seconds(2))
    defer { notifier.close() }
    try notifier.query("SELECT pg_notify($1, '')", [channel], timeout: statement)
    let deadline = ContinuousClock.now + statement
    var arrived = false
    // A wake ends a wait too.
    while !arrived, ContinuousClock.now < deadline {
      arrived = try listener.wait(deadline - ContinuousClock.now).doorbells > 0
    }
    try listener.query("UNLISTEN \(channel)", timeout: statement)
    return arrived
  }
}
