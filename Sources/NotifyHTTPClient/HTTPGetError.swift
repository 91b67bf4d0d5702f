import NIOCore
import NIOPosix
import NIOSSL

/// Why there is no answer. Safe to log: it holds nothing of the address or of the answer.
package enum HTTPGetError: Error, Equatable, CustomStringConvertible {
  /// The URL is not one of a web server.
  case invalidURL
  /// The connection could not be made.
  case unreachable
  /// The name can't be resolved.
  case unknownHost
  /// The TLS handshake failed, as with a certificate that is not trusted.
  case tls
  /// The connection ended before the answer did.
  case connectionLost
  /// The answer is not HTTP.
  case malformed
  /// The body is larger than allowed.
  case tooLarge
  /// The time is over.
  case timedOut
  /// The task was cancelled.
  case cancelled

  init(connecting error: any Error) {
    self =
      switch error {
      case let error as NIOConnectionError where error.connectionErrors.isEmpty: .unknownHost
      case is NIOSSLError, is BoringSSLError: .tls
      case ChannelError.connectTimeout: .timedOut
      default: .unreachable
      }
  }

  package var description: String {
    switch self {
    case .invalidURL: "the URL is not a web server's"
    case .unreachable: "connection failed"
    case .unknownHost: "the name can't be resolved"
    case .tls: "TLS failed: is the certificate trusted, and for this name?"
    case .connectionLost: "the connection was cut"
    case .malformed: "the answer is not HTTP"
    case .tooLarge: "the answer is too large"
    case .timedOut: "no answer in time"
    case .cancelled: "cancelled"
    }
  }
}
