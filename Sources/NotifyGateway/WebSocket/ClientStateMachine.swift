import NIOCore
import NotifyCore

/// The decisions of one WebSocket, from the answered upgrade to the end of the socket.
///
/// Its states, in order; each but `closed` leads to `closing` when a side closes, and to `closed` when the socket ends:
///
///     upgrading → waitingForCredential → verifying → joining → open → closing → closed
///             └──────────────────────────↗
///
/// A value without clock, randomness, logger or I/O. Each method is one input and returns the action that the channel
/// handler (`ClientConnection`) performs; instants and random numbers are arguments. Invariants:
/// - The socket joins its group once, with an identity whose access was not revoked while it was verified.
/// - `connection_established` is the first message: earlier ones of the client wait for it.
/// - One credential at a time is verified.
/// - A socket is closed once: an input in `closing` or `closed` writes nothing any more, but rows
///   that the kernel takes late still count.
struct ClientStateMachine {
  /// The states, with the data that is theirs alone.
  enum State: Equatable {
    /// The upgrade is being answered.
    case upgrading(Connecting)
    /// The first message has to bring the credential.
    case waitingForCredential(Connecting)
    /// The credential is being verified.
    case verifying(Connecting, Verification)
    /// In its group, waiting for the first page of the replay.
    case joining(Connecting)
    /// `connection_established` was written. A credential that replaces the first one may be being verified.
    case open(Verification?)
    /// A close frame was written: ours, or the answer to the peer's.
    case closing(Closing)
    /// The socket has ended.
    case closed
  }

  /// A connect until it is open.
  struct Connecting: Equatable {
    /// When it is given up.
    var deadline: NIODeadline
    /// Where the client resumes.
    var since: String?
    /// Messages that wait for `connection_established`, and the bytes that they came in.
    var earlyMessages: [ClientMessage] = []
    var earlyBytes = 0
  }

  /// A credential on its way through the authenticator.
  struct Verification: Equatable {
    let credential: Credential
    /// The loop's events when the attempt began.
    var since: LoopEvents
    /// When to try again; nil while the authenticator has it.
    var retryAt: NIODeadline?
  }

  /// The end of a socket, once a close frame was written.
  struct Closing: Equatable {
    let code: UInt16
    let closer: Closer
    /// When the socket is closed without the peer's consent; nil once it was.
    var deadline: NIODeadline?
    /// Nothing more can or need be read: the peer's close frame has come, or a frame was broken.
    var ignoresInput = false
  }

  /// The side that closed first.
  enum Closer: String {
    case client, server, network
  }

  /// The database events that the event loop has processed, counted.
  struct LoopEvents: Equatable {
    /// Batches of revocations.
    var revocations: UInt64 = 0
    /// Lost connections.
    var generation: UInt64 = 0
  }

  /// The part of a socket that is in its user's group, kept to the end: rows are flushed after a close, too.
  struct Membership {
    var identity: Identity
    var session: DeliverySession
    /// Verified again when the logins are reloaded; nil where that can't be.
    var credential: Credential?

    init(_ identity: Identity, _ credential: Credential, _ session: DeliverySession) {
      self.identity = identity
      self.session = session
      accept(identity, credential)
    }

    mutating func accept(_ identity: Identity, _ credential: Credential) {
      self.identity = identity
      self.credential = identity.login == .ticket ? nil : identity.renewal ?? credential
    }
  }

  /// The bytes that a peer has taken, and when they were first seen to be as many.
  struct Progress: Equatable {
    let taken: UInt64
    let at: NIODeadline
  }

  var state: State
  /// Beside the state, so that it is mutated in place: each row goes through its session.
  var membership: Membership?
  /// The client confirms rows by `ack`.
  let acknowledges: Bool
  /// The delay for the client's next try, where the close frame carries one. A socket is closed once: one number serves.
  let retryMilliseconds: Int
  /// The logins were reloaded since the credential was verified.
  var isVerificationDue = false
  /// Messages are sent back instead of read.
  var echoes = false
  var rate: MessageRate
  /// When the peer gave its last sign of life.
  var lastHeard: NIODeadline
  var nextHeartbeat: NIODeadline
  /// How far the peer came with the rows that wait for it; nil where none wait.
  var progress: Progress?
  /// The last ping that could not be answered yet.
  var pendingPong: ByteBuffer?

  /// - Parameters:
  ///   - since: the client's resume cursor.
  ///   - messageRate: messages that it may send in a second.
  ///   - retryMilliseconds: random.
  ///   - firstHeartbeat: random within the interval: a storm of connects is no storm of heartbeats.
  init(
    since: String?, acknowledges: Bool, messageRate: Int, retryMilliseconds: Int, firstHeartbeat: NIODeadline,
    now: NIODeadline
  ) {
    state = .upgrading(Connecting(deadline: now + TimeAmount(Limits.connectHold), since: since))
    self.acknowledges = acknowledges
    self.retryMilliseconds = retryMilliseconds
    rate = MessageRate(perSecond: messageRate, now: now)
    lastHeard = now
    nextHeartbeat = firstHeartbeat
  }

  /// The user, once the credential was accepted.
  var user: UserID? { membership?.identity.user }

  /// Whether the newest cursor vouches for this connection.
  var takesCursor: Bool { membership?.session.takesCursor ?? false }

  /// Bytes of live rows that the kernel has not taken yet.
  var queuedBytes: Int { membership?.session.queuedBytes ?? 0 }

  /// Whether bytes from the peer are still read.
  var acceptsInput: Bool {
    switch state {
    case .closed: false
    case .closing(let closing): !closing.ignoresInput
    case .upgrading, .waitingForCredential, .verifying, .joining, .open: true
    }
  }

  /// Whether the peer has to wait until the connection is open: it has sent as much as is kept.
  var holdsInput: Bool {
    switch state {
    case .upgrading(let connecting), .verifying(let connecting, _), .joining(let connecting):
      connecting.earlyBytes >= GatewayLimits.earlyBytes
    case .waitingForCredential, .open, .closing, .closed: false
    }
  }

  /// Whether a close frame was written or the socket has ended.
  var isClosing: Bool {
    switch state {
    case .closing, .closed: true
    case .upgrading, .waitingForCredential, .verifying, .joining, .open: false
    }
  }
}
