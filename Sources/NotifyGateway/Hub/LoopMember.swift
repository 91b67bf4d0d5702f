import NotifyCore

/// A connection as its event loop's hub sees it. Used only on that loop.
protocol LoopMember: AnyObject, SendableMetatype {
  /// Its place in the hub's list; written by the hub.
  var index: Int { get set }
  /// Bytes of live rows that the kernel has not taken yet.
  var queuedBytes: Int { get }

  /// Routes the user's rows of a batch.
  ///
  /// - Returns: whether this is the first write since the last `flush`.
  func route(_ batch: LoopBatch, _ frames: Range<Int>) -> Bool
  /// Sends the bytes written since the last flush.
  func flush()
  /// The connection to the database was lost and is back.
  func reconnected(durable: UInt64)
  /// Tables can be read again.
  func tablesReturned(_ tables: [Int32])
  /// Access has ended for some users.
  func revoke(_ index: RevocationIndex)
  /// The logins were reloaded: the credential may no longer be good.
  func verifyAgain()
  /// Time has passed.
  func tick(_ beat: Heartbeat)
  /// Closes the socket with a close frame.
  func close(_ reason: CloseReason)
  /// Closes the socket for a restart, with this connection's random delay.
  func restart()
  /// Closes the socket for a restart.
  ///
  /// - Parameter last: the newest cursor, sent before where it vouches for this connection.
  func drain(_ last: Heartbeat?)
  /// Closes the socket without a close frame.
  func abandon()
}

/// An HTTP connection as its event loop's hub sees it. Used only on that loop.
protocol Drainable: AnyObject {
  /// The gateway stops.
  func drain()
}
