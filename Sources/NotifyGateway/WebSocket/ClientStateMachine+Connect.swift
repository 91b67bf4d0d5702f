import NIOCore
import NotifyCore

/// From the upgrade to `connection_established`, and credentials that replace the first one.
extension ClientStateMachine {
  /// The way on from the upgrade.
  enum Start: Equatable {
    /// The request brought a credential.
    case credential(Credential)
    /// The first message has to bring it.
    case awaitFirstMessage
    /// It brought none.
    case noCredential
    /// There are too many connects from this address.
    case tooMany(CloseReason)
    /// The gateway stops.
    case draining
    /// Messages are sent back (`GatewaySettings.echoes`).
    case echo
  }

  /// The upgrade is answered.
  mutating func begin(_ start: Start, events: LoopEvents, now: NIODeadline) -> Action {
    guard case .upgrading(var connecting) = state else { return .none }
    switch start {
    case .draining:
      return close(.restart(retryMilliseconds: retryMilliseconds), now: now)
    case .echo:
      echoes = true
      state = .open(nil)
      return .none
    case .tooMany(let reason):
      return reject(reason, detail: "too many connects from this address", now: now)
    case .noCredential:
      return reject(.unauthorized(.missing), detail: "the connect brought no credential", now: now)
    case .credential(let credential):
      return verify(credential, connecting, events)
    case .awaitFirstMessage:
      connecting.deadline = now + GatewayLimits.firstMessage
      state = .waitingForCredential(connecting)
      guard !connecting.earlyMessages.isEmpty else { return .none }
      let first = connecting.earlyMessages.removeFirst()
      return receiveFirst(first, connecting, events: events, now: now)
    }
  }

  /// The first message, where it has to bring the credential.
  mutating func receiveFirst(
    _ message: ClientMessage, _ connecting: Connecting, events: LoopEvents, now: NIODeadline
  ) -> Action {
    guard case .authenticate(let token) = message else {
      return reject(.unauthorized(.missing), detail: "the first message was no authenticate", now: now)
    }
    var connecting = connecting
    connecting.deadline = now + TimeAmount(Limits.connectHold)
    return verify(.any(Secret(token)), connecting, events)
  }

  private mutating func verify(_ credential: Credential, _ connecting: Connecting, _ events: LoopEvents) -> Action {
    state = .verifying(connecting, Verification(credential: credential, since: events))
    return .verify(credential)
  }

  // MARK: Verdicts

  /// The authenticator has answered.
  ///
  /// - Parameter revocations: the loop's; access may have ended while the credential was verified.
  mutating func verified(
    _ verdict: Verdict, revocations: RevocationHistory, generation: UInt64, now: NIODeadline
  ) -> Action {
    switch state {
    case .verifying(let connecting, var verification):
      switch Self.judge(verdict, verification, revocations, generation, now) {
      case .accepted(let identity):
        return join(identity, verification.credential, connecting)
      case .rejected(let why, let detail):
        return reject(.unauthorized(why), detail: detail, now: now)
      case .retry(let at):
        verification.retryAt = at
        state = .verifying(connecting, verification)
        return .none
      }
    case .open(.some(var verification)):
      if case .accepted(let identity) = verdict, identity.user != user {
        return close(.unauthorized(.invalid), now: now)
      }
      switch Self.judge(verdict, verification, revocations, generation, now) {
      case .accepted(let identity):
        membership?.accept(identity, verification.credential)
        state = .open(nil)
        return .none
      case .rejected(let why, _):
        return close(.unauthorized(why), now: now)
      case .retry(let at):
        verification.retryAt = at
        state = .open(verification)
        return .none
      }
    case .upgrading, .waitingForCredential, .joining, .open(nil), .closing, .closed:
      return .none
    }
  }

  private enum Judgement {
    case accepted(Identity)
    case rejected(CloseReason.CredentialFault, detail: String)
    case retry(at: NIODeadline)
  }

  /// A verdict in the light of the events since the verification began.
  private static func judge(
    _ verdict: Verdict, _ verification: Verification, _ revocations: RevocationHistory, _ generation: UInt64,
    _ now: NIODeadline
  ) -> Judgement {
    switch verdict {
    case .accepted(var identity):
      // Transaction ids may be given again after a lost connection: a snapshot of before proves nothing.
      if verification.since.generation != generation { identity.seen = nil }
      switch revocations.judge(identity, since: verification.since.revocations) {
      case .good: return .accepted(identity)
      case .ended(let why): return .rejected(why, detail: "access ended while the credential was verified")
      case .unknown: return .retry(at: now)
      }
    case .rejected(let why, let detail):
      return .rejected(why, detail: detail)
    case .unavailable:
      return .retry(at: now + GatewayLimits.retryVerify)
    }
  }

  private mutating func join(_ identity: Identity, _ credential: Credential, _ connecting: Connecting) -> Action {
    membership = Membership(identity, credential, DeliverySession(acknowledges: acknowledges))
    var connecting = connecting
    let since = connecting.since
    connecting.since = nil
    state = .joining(connecting)
    return .join(identity.user, since: since)
  }

  // MARK: Replay

  /// A page of the replay has come.
  ///
  /// - Parameters:
  ///   - epoch: the loop's, once it has changed.
  ///   - generation: the number of lost connections to the database by now.
  mutating func replayed(_ page: ReplayPage, epoch: Epoch?, generation: UInt64, now: NIODeadline) -> Action {
    guard membership != nil, !isClosing else { return .none }
    if epoch.map({ $0 != page.epoch }) ?? false || page.isCutShort(by: generation) { return restart(now: now) }
    guard let opening = membership?.session.replayed(page, generation: generation) else { return .none }
    guard case .joining(let connecting) = state else { return .writePage(opening, epoch: page.epoch) }
    state = .open(nil)
    return .open(opening, epoch: page.epoch, early: connecting.earlyMessages)
  }
}
