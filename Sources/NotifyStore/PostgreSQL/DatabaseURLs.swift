internal import NotifyCore
internal import Synchronization

/// The URLs that all connections share. They are read again where the server refuses their password, so that a rotated one
/// needs no restart.
final class DatabaseURLs: Sendable {
  struct URLs: Equatable, Sendable {
    let url: Secret
    let listenURL: Secret?
  }

  private let urls: Mutex<URLs>
  private let readAgain: @Sendable () -> (url: Secret, listenURL: Secret?)?

  init(_ settings: StoreSettings) {
    urls = Mutex(URLs(url: settings.url, listenURL: settings.listenURL))
    readAgain = settings.readURLsAgain
  }

  /// For all connections but the listening one.
  var url: Secret { urls.withLock { $0.url } }

  /// For LISTEN.
  var listenURL: Secret { urls.withLock { $0.listenURL ?? $0.url } }

  /// Reads the URLs again where the server has refused the user or the password.
  ///
  /// - Returns: whether they have changed.
  func renew(after error: StoreError) -> Bool {
    guard Self.refusals.contains(error.sqlstate), let read = readAgain() else { return false }
    let new = URLs(url: read.url, listenURL: read.listenURL)
    return urls.withLock { urls in
      let isChange = urls != new
      urls = new
      return isChange
    }
  }

  /// Invalid password, invalid authorization specification.
  private static let refusals: Set<String> = ["28P01", "28000"]
}
