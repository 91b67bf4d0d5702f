/// Why a socket is closed: the code and the reason of its close frame (`Documentation/protocol.md`, "Close codes").
package struct CloseReason: Hashable, Sendable, CustomStringConvertible {
  /// RFC 6455 status code.
  package let code: UInt16
  /// At most 123 bytes; never a credential.
  package let reason: String

  private init(_ code: UInt16, _ reason: String) {
    self.code = code
    self.reason = reason
  }

  /// The fault of a credential.
  package enum CredentialFault: String, Sendable, CaseIterable {
    case missing, invalid, expired, revoked, inactive
  }

  /// 4001: a new credential is needed.
  package static func unauthorized(_ fault: CredentialFault) -> CloseReason { CloseReason(4001, fault.rawValue) }
  /// 4008: the client reads too slowly.
  package static let tooSlow = CloseReason(4008, "too slow: reconnect with since")
  /// 4009: the user has more connections than it may; this was the oldest.
  package static let tooManyConnections = CloseReason(4009, "too many connections")
  /// 4029: too many messages or connects.
  package static let tooManyMessages = CloseReason(4029, "too many messages")
  /// 4029: too many connects from an address.
  package static let tooManyConnects = CloseReason(4029, "too many connects")
  /// 1012: the server restarts, or the database identity changed.
  package static func restart(retryMilliseconds: Int) -> CloseReason {
    CloseReason(1012, "retry_ms=\(retryMilliseconds)")
  }
  /// 1013: the database is away.
  package static func tryLater(retryMilliseconds: Int) -> CloseReason {
    CloseReason(1013, "retry_ms=\(retryMilliseconds)")
  }
  /// 1000: the answer to a peer's own close.
  package static let normal = CloseReason(1000, "")
  /// 1002: the peer breaks RFC 6455.
  package static let protocolError = CloseReason(1002, "protocol error")
  /// 1003: binary data.
  package static let unsupportedData = CloseReason(1003, "text only")
  /// 1007: bad UTF-8.
  package static let invalidText = CloseReason(1007, "invalid UTF-8")
  /// 1009: a message over the limit.
  package static let messageTooBig = CloseReason(1009, "message too big")
  /// 1001: a peer that no longer answers.
  package static let unresponsive = CloseReason(1001, "no answer to ping")

  package var description: String { reason.isEmpty ? "\(code)" : "\(code) \(reason)" }
}
