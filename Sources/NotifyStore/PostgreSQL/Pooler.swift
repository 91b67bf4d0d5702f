internal import CNotifyStore

/// The kind of pooler between this program and the server.
package enum Pooler: Sendable, Equatable {
  /// Detected at each connect.
  case detected
  /// A pooler that may give each transaction another session.
  case always
  /// No pooler.
  case never

  var c: notify_store_pooler {
    switch self {
    case .detected: NOTIFY_STORE_POOLER_DETECT
    case .always: NOTIFY_STORE_POOLER_ALWAYS
    case .never: NOTIFY_STORE_POOLER_NEVER
    }
  }
}
