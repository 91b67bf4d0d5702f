import Logging
import Metrics
import NIOCore
import NotifyCore

/// The end of a connection.
extension ClientConnection {
  /// Writes our close frame.
  func writeClose(_ reason: CloseReason) {
    leave()
    reader.skipsTexts = true
    write(ControlFrame.close(reason))
    flush()
    resumeInput()
  }

  /// Writes the answer to the peer's close frame; the server then closes the socket (RFC 6455, 7.1.1).
  func answerClose(_ code: UInt16?) {
    leave()
    let promise = eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenComplete { [self] _ in context?.close(promise: nil) }
    write(ControlFrame.closeEcho(code), promise: promise)
    flush()
  }

  /// Ends our side of the stream; the peer's end then closes the socket.
  ///
  /// Closing at once would discard bytes that the peer has not read yet, our close frame included.
  func endOutput() {
    guard let context else { return }
    let promise = eventLoop.makePromise(of: Void.self)
    promise.futureResult.assumeIsolated().whenFailure { [self] _ in self.context?.close(promise: nil) }
    context.close(mode: .output, promise: promise)
  }

  /// Takes the connection out of everything that writes to it.
  private func leave() {
    pendingReplay?.cancel()
    pendingReplay = nil
    if let user = machine.user { hub.leave(self, user) }
  }

  /// Counts and logs a refused connect.
  func recordRejected(_ reason: CloseReason, _ detail: String) {
    dependencies.metrics.rejects.increment()
    dependencies.logger.info(
      "connect rejected",
      metadata: [
        LogKey.remote: "\(remote)", LogKey.code: "\(reason.code)", LogKey.reason: "\(reason.reason)",
        LogKey.detail: "\(detail)",
      ])
  }

  /// Logs the end, and takes the connection out of the hub.
  func forget(code: UInt16, closer: ClientStateMachine.Closer, leaves: Bool) {
    if leaves { leave() }
    hub.remove(self)
    dependencies.admission.leave(address: remote)
    guard let user = machine.user else { return }
    logEnd(code: code, closer: closer)
    let seconds = Double((eventLoop.now - started).nanoseconds / 1_000_000) / 1_000
    dependencies.logger.info(
      "disconnected",
      metadata: [
        LogKey.user: "\(user.text)", LogKey.remote: "\(remote)", LogKey.durationSeconds: "\(seconds)",
        LogKey.messages: "\(messages)", LogKey.code: "\(code)", LogKey.closedBy: "\(closer.rawValue)",
      ])
  }
}
