import Metrics
import NIOCore
import NotifyCore

/// What a client sends.
extension ClientConnection {
  /// Takes bytes from the socket.
  func receive(_ bytes: ByteBuffer) {
    lastHeard = eventLoop.now
    // After a broken frame nothing can be read any more; the peer's end is waited for.
    guard state != .closed, !ignoresInput else { return }
    reader.append(bytes)
    do throws(FrameReader.Violation) {
      while let event = try reader.next() {
        accept(event)
        if state == .closed || ignoresInput { return }
      }
    } catch {
      ignoresInput = true
      close(error.reason)
      endOutput()
    }
  }

  private func accept(_ event: FrameReader.Event) {
    if case .close(let code) = event {
      closedByPeer(code)
      return
    }
    guard state != .closing else { return }
    switch event {
    case .close, .pong:
      break
    case .ping(let payload):
      guard withinRate() else { return }
      // Of pings that can't be answered yet, only the last needs to be (RFC 6455, 5.5.3).
      if context?.channel.isWritable ?? false {
        write(ControlFrame.pong(payload))
      } else {
        pendingPong = payload
      }
    case .message(let bytes):
      guard withinRate() else { return }
      let message = bytes.withUnsafeReadableBytes(ClientMessage.read)
      switch state {
      case .waitingForCredential: firstMessage(message)
      case .verifying, .joining: keep(message)
      case .open: handle(message)
      case .closing, .closed: break
      }
    }
  }

  private func withinRate() -> Bool {
    if rate.accept(at: lastHeard) { return true }
    close(.tooManyMessages)
    return false
  }

  private func firstMessage(_ message: ClientMessage) {
    guard case .authenticate(let token) = message else {
      reject(.unauthorized(.missing), detail: "the first message was no authenticate")
      return
    }
    state = .verifying
    deadline = eventLoop.now + TimeAmount(Limits.connectHold)
    let credential = Credential.any(Secret(token))
    self.credential = credential
    verify(credential)
  }

  /// `connection_established` is always first: what comes before it waits for it.
  private func keep(_ message: ClientMessage) {
    if earlyMessages.count < GatewayLimits.earlyMessages {
      earlyMessages.append(message)
    } else {
      close(.tooManyMessages)
    }
  }

  /// Answers a message on an open connection.
  func handle(_ message: ClientMessage) {
    guard let user else { return }
    switch message {
    case .ping:
      hub.consumeLazyCursor()
      let cursor = session?.takesCursor == true ? hub.cursor : nil
      send(.heartbeat(timestamp: WallClock.microseconds(), cursor: cursor))
    case .acknowledge(let ids, let source):
      if let rows = rows(ids, of: source) { acknowledge(rows, user) }
    case .read(let ids, let source):
      if let rows = rows(ids, of: source) { services.confirmations.read(user: user, rows: rows) }
    case .authenticate(let token):
      if credential != nil {
        send(.error(code: "invalid_message", message: "the credential before this one is still being verified"))
        return
      }
      let credential = Credential.any(Secret(token))
      self.credential = credential
      verify(credential)
    case .invalid(let why):
      send(.error(code: "invalid_message", message: why))
    }
  }

  /// The rows that a client means; nil where it was told that their table is missing.
  private func rows(_ ids: [RowID], of source: String?) -> [RowName]? {
    let served = services.status.catalog
    if let number = served.number(named: source) { return ids.map { RowName(source: number, id: $0) } }
    if source == nil, served.isNamed {
      send(.error(code: "invalid_message", message: "\"source\" is missing: more than one table is served"))
      return nil
    }
    services.metrics.idsIgnored.increment(by: ids.count)
    return nil
  }

  private func acknowledge(_ rows: [RowName], _ user: UserID) {
    guard let (keys, next) = session?.acknowledged(rows, limits: services.limits) else { return }
    hub.confirm { $0 += keys.map { PendingMark(key: $0, user: user) } }
    if keys.count < rows.count { services.metrics.idsIgnored.increment(by: rows.count - keys.count) }
    perform(next)
  }
}
