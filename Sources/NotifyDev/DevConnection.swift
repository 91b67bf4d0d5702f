import NotifyCore
import NotifyStore

/// Connections of `dev` itself, beside those of the bridge that it runs.
enum DevConnection {
  /// Connects, under the name that the bridge's connections have too.
  static func open(_ url: Secret, timeout: Duration) throws(StoreError) -> PGConnection {
    try PGConnection.connect(url: url, applicationName: "notify-bridge", timeout: timeout)
  }
}
