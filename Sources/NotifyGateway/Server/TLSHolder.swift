import Synchronization

/// The TLS files of a running gateway, for a reload.
final class TLSHolder: Sendable {
  private let current = Mutex<TLSFiles?>(nil)

  /// Nil before the start, and where TLS isn't configured.
  var files: TLSFiles? {
    get { current.withLock { $0 } }
    set { current.withLock { $0 = newValue } }
  }
}
