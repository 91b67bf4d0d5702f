import NIOCore
import NotifyCore

/// Deadlines, expiry and heartbeats.
extension ClientStateMachine {
  /// Time has passed.
  ///
  /// - Parameters:
  ///   - wall: microseconds since 1970 UTC.
  ///   - heartbeat: the time between two heartbeats.
  ///   - isWritable: whether the socket takes bytes.
  ///   - taken: bytes that the peer has taken so far, while rows wait for it; nil where none wait.
  mutating func tick(
    now: NIODeadline, wall: Int64, heartbeat: TimeAmount, isWritable: @autoclosure () -> Bool, taken: UInt64?,
    events: LoopEvents
  ) -> TickActions {
    switch state {
    case .upgrading, .closed:
      return TickActions()
    case .waitingForCredential(let connecting):
      guard connecting.deadline <= now else { return TickActions() }
      return perform(reject(.unauthorized(.missing), detail: "no authenticate message in time", now: now))
    case .verifying(let connecting, let verification):
      if connecting.deadline <= now {
        return perform(reject(tryLater, detail: "the credential could not be looked up in time", now: now))
      }
      guard let again = Self.retried(verification, events: events, now: now) else { return TickActions() }
      state = .verifying(connecting, again)
      return TickActions(verify: again.credential)
    case .joining(let connecting):
      guard connecting.deadline <= now else { return TickActions() }
      return perform(reject(tryLater, detail: "the replay could not be read in time", now: now))
    case .open(let verification):
      return tickOpen(
        verification, now: now, wall: wall, heartbeat: heartbeat, isWritable: isWritable(), taken: taken,
        events: events)
    case .closing(var closing):
      guard let deadline = closing.deadline, deadline <= now else { return TickActions() }
      closing.deadline = nil
      state = .closing(closing)
      return perform(.closeSocket)
    }
  }

  private var tryLater: CloseReason { .tryLater(retryMilliseconds: retryMilliseconds) }

  private func perform(_ action: Action) -> TickActions { TickActions(then: .perform(action)) }

  /// The verification's next attempt, where it is due.
  private static func retried(_ verification: Verification, events: LoopEvents, now: NIODeadline) -> Verification? {
    guard let at = verification.retryAt, at <= now else { return nil }
    return Verification(credential: verification.credential, since: events)
  }

  private mutating func tickOpen(
    _ verification: Verification?, now: NIODeadline, wall: Int64, heartbeat: TimeAmount,
    isWritable: @autoclosure () -> Bool, taken: UInt64?, events: LoopEvents
  ) -> TickActions {
    var actions = TickActions()
    if let verification {
      if let again = Self.retried(verification, events: events, now: now) {
        state = .open(again)
        actions.verify = again.credential
      }
    }
    if isVerificationDue, verification == nil {
      isVerificationDue = false
      if let credential = membership?.credential {
        state = .open(Verification(credential: credential, since: events))
        actions.verify = credential
        return actions
      }
    }
    if let expires = membership?.identity.expires, expires * 1_000_000 <= Double(wall) {
      guard let renewal = membership?.identity.renewal else {
        actions.then = .perform(close(.unauthorized(.expired), now: now))
        return actions
      }
      // The database may know a later end by now, unless this or a client's new credential is being verified already.
      if verification == nil {
        state = .open(Verification(credential: renewal, since: events))
        actions.verify = renewal
      }
    }
    if isStalled(taken: taken, now: now) {
      actions.then = .perform(close(.tooSlow, now: now))
      return actions
    }
    if now - lastHeard > heartbeat * GatewayLimits.silentHeartbeats {
      actions.then = .perform(close(.unresponsive, now: now))
      return actions
    }
    guard nextHeartbeat <= now else { return actions }
    nextHeartbeat = now + heartbeat
    // A peer that is behind needs no sign of life on top, and a cursor would be of no use to it yet.
    if isWritable() { actions.then = .heartbeat(withCursor: takesCursor) }
    return actions
  }

  /// Whether rows wait for a peer that takes none of them. One that takes some of a large row is alive, however slow it is.
  private mutating func isStalled(taken: UInt64?, now: NIODeadline) -> Bool {
    guard let taken else {
      progress = nil
      return false
    }
    if let progress, progress.taken == taken { return now - progress.at > GatewayLimits.stall }
    if progress != nil { lastHeard = now }
    progress = Progress(taken: taken, at: now)
    return false
  }
}
