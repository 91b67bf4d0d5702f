import NIOCore

/// Fixed bounds of the gateway, and the effect of reaching each.
enum GatewayLimits {
  /// Connections that the kernel queues before they are accepted.
  static let backlog = 4_096
  /// Idle sockets that each address may have at least; beyond its share, a socket is closed when it is accepted.
  static let idlePerPeer = 16
  /// Sockets kept for addresses with less than `reservedPerPeer` idle ones, and again for the admin port.
  static let reservedSockets = 64
  static let reservedPerPeer = 4
  /// How long no connection is accepted where the system has no room for one, and how often that is logged.
  static let acceptPause: TimeAmount = .milliseconds(100)
  static let acceptLine: TimeAmount = .minutes(1)
  /// Bytes of one header field; beyond, 431.
  static let headerFieldBytes = 16 << 10
  /// Bytes of all header fields and the request line; beyond, 431.
  static let headerBytes = 32 << 10
  /// Header fields of a request; beyond, 431.
  static let headerFields = 100
  /// Bytes of a request's body; beyond, 413.
  static let bodyBytes = 64 << 10
  /// Parts of requests (a head, a piece of a body, an end) that wait for the response before; beyond, it is the last.
  static let heldBackParts = 64
  /// How long a kept-alive connection may wait for its next request.
  static let keepAlive: TimeAmount = .seconds(60)
  /// How long a refused peer may take to read the refusal.
  static let lingering: TimeAmount = .seconds(2)
  /// HTTP requests and credentials being worked on; beyond, 503 or a later try.
  static let tasks = 65_536
  /// How long to wait for the first message where that brings the credential.
  static let firstMessage: TimeAmount = .seconds(10)
  /// How often each loop looks at its connections' deadlines.
  static let tick: TimeAmount = .milliseconds(500)
  /// How long until a credential that could not be looked up is tried again.
  static let retryVerify: TimeAmount = .seconds(1)
  /// Messages kept that came before `connection_established`; beyond, 4029.
  static let earlyMessages = 16
  /// Bytes of them; beyond, the socket is not read until then.
  static let earlyBytes = 8 << 10
  /// Bytes that are read from a socket at a time.
  static let readBytes = 16 << 10
  /// Bytes of the first read, which hold most requests. An idle connection keeps the buffer.
  static let firstReadBytes = 1 << 10
  /// Bytes of a batch that sockets share, and that one which lags behind keeps alive (one user's rows may be more).
  static let sharedBytes = 32 << 10
  /// Memory that a row takes while it waits for a slow socket, besides its bytes: its key, its buffer, its promise.
  static let queuedRowBytes = 512
  /// How long a peer may take no byte of the rows that wait for it; beyond, it is closed with 4008.
  static let stall: TimeAmount = .seconds(5)
  /// Addresses whose connects are counted; beyond, counts of earlier seconds are forgotten.
  static let countedAddresses = 65_536
  /// Bytes of a message that is compressed, at most; larger ones would block their event loop for more than some ms.
  static let deflateBytes = 256 << 10
  /// Heartbeats that may pass without a sign of the peer; then it is closed.
  static let silentHeartbeats = 2
}
