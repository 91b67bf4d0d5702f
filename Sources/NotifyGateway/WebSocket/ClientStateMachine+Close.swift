import NIOCore
import NotifyCore

/// The end of a connection: the closing handshake (RFC 6455, chapter 7).
extension ClientStateMachine {
  /// Closes from our side, once; then the peer's close frame is awaited, at most `Limits.closeTimeout`.
  mutating func close(_ reason: CloseReason, now: NIODeadline) -> Action {
    if isClosing { return .none }
    enterClosing(code: reason.code, closer: .server, now: now)
    return .close(reason)
  }

  /// Closes a connect that was refused.
  mutating func reject(_ reason: CloseReason, detail: String, now: NIODeadline) -> Action {
    if isClosing { return .none }
    enterClosing(code: reason.code, closer: .server, now: now)
    return .reject(reason, detail: detail)
  }

  /// Tables can be read again: closes for a restart where the replay lacks their rows.
  mutating func tablesReturned(_ tables: [Int32], now: NIODeadline) -> Action {
    guard membership?.session.lacks(tables) == true else { return .none }
    return restart(now: now)
  }

  /// Closes for a restart, with this connection's random delay.
  mutating func restart(now: NIODeadline) -> Action {
    close(.restart(retryMilliseconds: retryMilliseconds), now: now)
  }

  /// Access has ended for some users.
  mutating func revoke(_ index: RevocationIndex, now: NIODeadline) -> Action {
    guard let identity = membership?.identity, let why = index.reason(for: identity) else { return .none }
    return close(.unauthorized(why), now: now)
  }

  /// The peer's close frame has come: the answer to ours, or the first one.
  mutating func receiveClose(_ code: UInt16?, now: NIODeadline) -> Action {
    switch state {
    case .closed:
      return .none
    case .closing(var closing):
      closing.ignoresInput = true
      state = .closing(closing)
      return .closeSocket
    case .upgrading, .waitingForCredential, .verifying, .joining, .open:
      // RFC 6455, 7.1.5: 1005 stands for a close frame without a code.
      enterClosing(code: code ?? 1005, closer: .client, ignoresInput: true, now: now)
      return .answerClose(code)
    }
  }

  /// A frame of the peer is broken: the frames behind it can't be found.
  mutating func receiveBroken(_ violation: FrameReader.Violation, now: NIODeadline) -> Action {
    switch state {
    case .closed:
      return .none
    case .closing(var closing):
      closing.ignoresInput = true
      state = .closing(closing)
      return .endOutput
    case .upgrading, .waitingForCredential, .verifying, .joining, .open:
      enterClosing(code: violation.reason.code, closer: .server, ignoresInput: true, now: now)
      return .closeAndEndOutput(violation.reason)
    }
  }

  /// The socket has ended.
  mutating func ended() -> Action {
    switch state {
    case .closed:
      return .none
    case .closing(let closing):
      state = .closed
      return .forget(code: closing.code, closer: closing.closer, leaves: false)
    case .upgrading, .waitingForCredential, .verifying, .joining, .open:
      membership?.session.close()
      state = .closed
      // RFC 6455, 7.1.5: 1006 stands for an end without a close frame.
      return .forget(code: 1006, closer: .network, leaves: true)
    }
  }

  private mutating func enterClosing(code: UInt16, closer: Closer, ignoresInput: Bool = false, now: NIODeadline) {
    membership?.session.close()
    pendingPong = nil
    state = .closing(
      Closing(
        code: code, closer: closer, deadline: now + TimeAmount(Limits.closeTimeout), ignoresInput: ignoresInput))
  }
}
