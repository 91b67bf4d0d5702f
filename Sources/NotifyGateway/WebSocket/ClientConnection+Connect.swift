import Logging
import Metrics
import NIOCore
import NotifyCore

/// From the upgrade to `connection_established`.
extension ClientConnection {
  /// The upgrade is answered: goes on with the credential, or closes.
  ///
  /// - Parameter refusal: why the connection is one too many.
  func begin(refusal: CloseReason?) {
    if hub.isDraining {
      close(.restart(retryMilliseconds: .random(in: 0...Limits.retryMilliseconds)))
    } else if let refusal {
      reject(refusal, detail: "too many connects from this address")
    } else if let credential {
      state = .verifying
      deadline = started + TimeAmount(Limits.connectHold)
      verify(credential)
    } else if services.settings.firstMessage {
      state = .waitingForCredential
      deadline = started + GatewayLimits.firstMessage
    } else {
      reject(.unauthorized(.missing), detail: "the connect brought no credential")
    }
  }

  /// Closes a connect that never became a connection.
  func reject(_ reason: CloseReason, detail: String) {
    services.metrics.rejects.increment()
    services.logger.info(
      "connect rejected",
      metadata: [
        LogKey.remote: "\(remote)", LogKey.code: "\(reason.code)", LogKey.reason: "\(reason.reason)",
        LogKey.detail: "\(detail)",
      ])
    close(reason)
  }

  // MARK: Credentials

  /// Verifies a credential; `verified` gets the verdict on this loop.
  func verify(_ credential: Credential) {
    isVerifying = true
    verifiesSince = (hub.revocations.serial, hub.generation)
    let authenticator = services.authenticator
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let isSubmitted = services.jobs.submit {
      let verdict = await authenticator.verify(credential)
      bound.eventLoop.execute { bound.value.verified(verdict) }
    }
    if !isSubmitted { verified(.unavailable(detail: "too many credentials are being verified")) }
  }

  private func verified(_ verdict: Verdict) {
    isVerifying = false
    switch (state, verdict) {
    case (.verifying, .accepted(let identity)):
      admit(identity)
    case (.verifying, .rejected(let why, let detail)):
      reject(.unauthorized(why), detail: detail)
    case (.verifying, .unavailable), (.open, .unavailable):
      retryAt = eventLoop.now + GatewayLimits.retryVerify
    case (.open, .accepted(let new)):
      if new.user == user {
        admit(new)
      } else {
        credential = nil
        close(.unauthorized(.invalid))
      }
    case (.open, .rejected(let why, _)):
      credential = nil
      close(.unauthorized(why))
    case (.waitingForCredential, _), (.joining, _), (.closing, _), (.closed, _):
      break
    }
    flushIfNeeded()
  }

  /// Lets in whoever was accepted, unless access has ended while the credential was verified.
  private func admit(_ accepted: Identity) {
    var identity = accepted
    if verifiesSince.generation != hub.generation { identity.seen = nil }
    switch hub.revocations.judge(identity, since: verifiesSince.revocations) {
    case .good:
      credential = nil
      if state == .open { self.identity = identity } else { accept(identity) }
    case .ended(let why) where state == .open:
      close(.unauthorized(why))
    case .ended(let why):
      reject(.unauthorized(why), detail: "access ended while the credential was verified")
    case .unknown:
      retryAt = eventLoop.now
    }
  }

  /// Access has ended, of somebody.
  func revoke(_ index: RevocationIndex) {
    guard let identity, let why = index.reason(for: identity) else { return }
    close(.unauthorized(why))
  }

  /// Tries a credential again that could not be looked up.
  func retryVerify(now: NIODeadline) {
    guard let at = retryAt, at <= now, let credential, !isVerifying else { return }
    retryAt = nil
    verify(credential)
  }

  private func accept(_ identity: Identity) {
    self.identity = identity
    state = .joining
    session = DeliverySession(acknowledges: acknowledges)
    hub.groups.join(self, identity.user)
    if let oldest = services.users.join(NIOLoopBound(self, eventLoop: eventLoop), identity.user) {
      oldest.eventLoop.execute { oldest.value.close(.tooManyConnections) }
    }
    hub.consumeLazyCursor()
    ask(.connecting(since: since, joined: hub.passed))
    since = nil
  }

  // MARK: Replay

  /// Asks for a page of the replay.
  func ask(_ wanted: ReplayRequest.Wanted) {
    guard let user else { return }
    let ticket = ReplayCancellation()
    self.ticket = ticket
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let request = ReplayRequest(user: user, wanted: wanted, cancellation: ticket, generation: hub.generation)
    services.replays.replay(request) { page in
      bound.eventLoop.execute {
        if !ticket.isCancelled { bound.value.replayed(page) }
      }
    }
  }

  private func replayed(_ page: ReplayPage) {
    ticket = nil
    guard state == .joining || state == .open else { return }
    if let epoch = hub.epoch, page.epoch != epoch {
      close(.restart(retryMilliseconds: .random(in: 0...Limits.retryMilliseconds)))
      return
    }
    guard let opening = session?.replayed(page, generation: hub.generation) else { return }
    writeOpening(opening, epoch: page.epoch)
    if state == .joining { established() }
    flushIfNeeded()
  }

  /// Writes the page and what goes before it as one piece: with a reconnect of thousands, each write counts.
  private func writeOpening(_ opening: DeliverySession.Opening, epoch: Epoch) {
    guard let user else { return }
    var head: [UInt8] = []
    if case .with(let cursor) = opening.established {
      let message = ServerMessage.connectionEstablished(
        user: user, isNumber: services.status.catalog.hasIntegerRecipients,
        timestamp: WallClock.microseconds(), epoch: epoch, cursor: cursor)
      head += FrameEncoder.text(message.json)
      messages += 1
    }
    if case .with(let cursor) = opening.truncated {
      let message = ServerMessage.replayTruncated(limit: services.limits.replayRows, cursor: cursor)
      head += FrameEncoder.text(message.json)
      messages += 1
    }
    writePage([opening.rows], after: head, counter: services.metrics.rowsReplayed)
  }

  private func established() {
    state = .open
    deadline = nil
    services.metrics.connects.increment()
    services.logger.info("connected", metadata: [LogKey.user: "\(user?.text ?? "")", LogKey.remote: "\(remote)"])
    let early = earlyMessages
    earlyMessages = []
    for message in early where state == .open { handle(message) }
  }
}
