import NIOCore
import NotifyCore

/// What happens to a connection as time goes by.
extension ClientConnection {
  /// Looks at the deadlines.
  func tick(_ beat: Heartbeat) {
    if let deadline, deadline <= beat.now {
      passed()
      return
    }
    switch state {
    case .waitingForCredential, .joining, .closing, .closed:
      break
    case .verifying:
      retryVerify(now: beat.now)
    case .open:
      retryVerify(now: beat.now)
      tickOpen(beat)
    }
    flushIfNeeded()
  }

  private func passed() {
    deadline = nil
    switch state {
    case .waitingForCredential:
      reject(.unauthorized(.missing), detail: "no authenticate message in time")
    case .verifying:
      reject(tryLater, detail: "the credential could not be looked up in time")
    case .joining:
      reject(tryLater, detail: "the replay could not be read in time")
    case .closing:
      context?.close(promise: nil)
    case .open, .closed:
      break
    }
  }

  private var tryLater: CloseReason {
    .tryLater(retryMilliseconds: .random(in: 0...Limits.retryMilliseconds))
  }

  /// The end that was known has come: of a session, the database may know another by now.
  private func expired() {
    guard let renewal = identity?.renewal else { return close(.unauthorized(.expired)) }
    // Unless it is asked already, or a client's new credential is.
    guard credential == nil else { return }
    credential = renewal
    verify(renewal)
  }

  private func tickOpen(_ beat: Heartbeat) {
    if let expires = identity?.expires, expires * 1_000_000 <= Double(beat.wall) {
      expired()
      if state != .open { return }
    }
    let interval = TimeAmount.seconds(Int64(services.settings.heartbeatSeconds))
    if beat.now - lastHeard > interval * GatewayLimits.silentHeartbeats {
      close(.unresponsive)
      return
    }
    guard nextHeartbeat <= beat.now else { return }
    nextHeartbeat = beat.now + interval
    // A peer that is behind needs no sign of life on top, and a cursor would be of no use to it yet.
    guard context?.channel.isWritable ?? false else { return }
    messages += 1
    write(session?.takesCursor == true ? beat.withCursor : beat.withoutCursor)
  }
}
