import NotifyCore

/// The connection log and the delivery log.
extension ClientConnection {
  /// Logs that the socket is open, where sockets are logged.
  func logOpened() {
    guard let user = machine.user, let number = dependencies.activity.connectionNumber() else { return }
    let opened = WallClock.microseconds()
    logged = (number, opened)
    dependencies.activity.connection(
      ConnectionRecord(number: number, user: user, address: remote, userAgent: userAgent, opened: opened))
  }

  /// Logs the end of a socket that was logged.
  func logEnd(code: UInt16, closer: ClientStateMachine.Closer) {
    guard let user = machine.user, let (number, opened) = logged else { return }
    let end = ConnectionRecord.End(
      at: WallClock.microseconds(), code: code, closedBy: closer.rawValue, rows: takenRows, bytes: writtenBytes)
    dependencies.activity.connection(
      ConnectionRecord(number: number, user: user, address: remote, userAgent: userAgent, opened: opened, end: end))
  }

  /// Logs that this device took rows.
  func logSent(_ rows: some Sequence<RowName>) {
    dependencies.activity.delivered(rows, .sent, at: WallClock.microseconds())
  }

  /// Logs that this device confirmed rows.
  func logAcknowledged(_ marks: [PendingMark]) {
    guard dependencies.activity.kinds.deliveries, !marks.isEmpty else { return }
    dependencies.activity.delivered(marks.lazy.map(\.key.row), .acknowledged, at: WallClock.microseconds())
  }
}
