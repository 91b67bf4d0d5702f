import NIOCore
import NotifyCore

/// Rows on their way to the socket.
extension ClientStateMachine {
  /// Routes the user's rows of a batch.
  ///
  /// The session's own answer, and no array of actions: this is the path of every row.
  ///
  /// - Parameter size: the bytes of a run of frames on this connection.
  mutating func route(
    _ batch: DeliveryBatch, _ frames: Range<Int>, limits: Limits, now: @autoclosure () -> NIODeadline,
    size: (Range<Int>) -> Int
  ) -> DeliverySession.Routing {
    guard let routing = membership?.session.route(batch, frames, limits: limits, size: size) else { return .nothing }
    if case .close(let reason) = routing, case .none = close(reason, now: now()) { return .nothing }
    return routing
  }

  /// The kernel took live rows of this many bytes, or the socket has ended and never will.
  ///
  /// - Returns: whether a client that is behind catches up now: report `pageFlushed`.
  mutating func flushed(bytes: Int) -> Bool { membership?.session.flushed(bytes: bytes) ?? false }

  /// The kernel took rows: the peer makes room for them, so it is alive.
  mutating func rowsFlushed(now: NIODeadline) { lastHeard = now }

  /// The kernel took a page of the replay, or a piece of the rows held back.
  mutating func pageFlushed(limits: Limits, now: NIODeadline) -> DeliverySession.Next {
    guard let next = membership?.session.pageFlushed(limits: limits) else { return .nothing }
    return follow(next, now: now)
  }

  /// Enters `closing` where the session ends the connection.
  mutating func follow(_ next: DeliverySession.Next, now: NIODeadline) -> DeliverySession.Next {
    if case .close(let reason) = next, case .none = close(reason, now: now) { return .nothing }
    return next
  }

  /// The connection to the database was lost and is back.
  mutating func reconnected(durable: UInt64, now: NIODeadline) -> Action {
    // Transaction ids may be given again: a snapshot of before proves nothing.
    membership?.identity.seen = nil
    return membership?.session.lower(durable: durable) == false ? restart(now: now) : .none
  }
}
