import Logging
import NIOCore
import NotifyCore

/// The end of a connection: the closing handshake (RFC 6455, chapter 7) and what is left behind.
extension ClientConnection {
  /// Writes a close frame, unless one was written; then waits for the peer's, at most `Limits.closeTimeout`.
  func close(_ reason: CloseReason) {
    guard state != .closing, state != .closed else { return }
    closer = .server
    closeCode = reason.code
    leave()
    state = .closing
    reader.skipsTexts = true
    deadline = eventLoop.now + TimeAmount(Limits.closeTimeout)
    write(ControlFrame.close(reason))
    flushIfNeeded()
  }

  /// The peer's close frame came: answers it where it was first; in both cases the server closes the socket.
  func closedByPeer(_ code: UInt16?) {
    ignoresInput = true
    guard state != .closing else {
      context?.close(promise: nil)
      return
    }
    closer = .client
    // RFC 6455, 7.1.5: a close frame without a code.
    closeCode = code ?? 1005
    leave()
    state = .closing
    deadline = eventLoop.now + TimeAmount(Limits.closeTimeout)
    let promise = eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { [self] _ in context?.close(promise: nil) }
    write(ControlFrame.closeEcho(code), promise: promise)
    flushIfNeeded()
  }

  /// Sends our end of the stream, for a peer whose frames can't be read any more; its own end closes the socket.
  ///
  /// Closing at once would throw away what it has not read yet, our close frame included.
  func endOutput() {
    guard let context else { return }
    let promise = eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenFailure { [self] _ in self.context?.close(promise: nil) }
    context.close(mode: .output, promise: promise)
  }

  /// Takes the connection out of everything that writes to it.
  private func leave() {
    ticket?.cancel()
    ticket = nil
    session?.close()
    credential = nil
    retryAt = nil
    earlyMessages = []
    guard let user else { return }
    hub.groups.leave(self, user)
    services.users.leave(self, user)
  }

  /// The socket is gone.
  func ended() {
    guard state != .closed else { return }
    if state != .closing { leave() }
    state = .closed
    hub.remove(self)
    services.admission.leave(address: remote)
    guard let user else { return }
    let seconds = Double((eventLoop.now - started).nanoseconds / 1_000_000) / 1_000
    services.logger.info(
      "disconnected",
      metadata: [
        LogKey.user: "\(user.text)", LogKey.remote: "\(remote)", LogKey.durationSeconds: "\(seconds)",
        LogKey.messages: "\(messages)", LogKey.code: "\(closeCode ?? 1006)", LogKey.closedBy: "\(closer.rawValue)",
      ])
  }
}
