import NIOCore
import NotifyCore

/// One tick's instant, and the messages that are the same for all connections in it.
final class Heartbeat {
  let now: NIODeadline
  /// Microseconds since 1970 UTC.
  let wall: Int64
  private let cursor: String?

  init(now: NIODeadline, wall: Int64, cursor: String?) {
    self.now = now
    self.wall = wall
    self.cursor = cursor
  }

  /// A heartbeat and a ping, for a connection for which the newest cursor vouches.
  private(set) lazy var withCursor = Self.frames(.heartbeat(timestamp: wall, cursor: cursor))
  /// A heartbeat and a ping, for the others.
  private(set) lazy var withoutCursor = Self.frames(.heartbeat(timestamp: wall, cursor: nil))

  private static func frames(_ message: ServerMessage) -> ByteBuffer {
    ByteBuffer(bytes: FrameEncoder.text(message.json) + ControlFrame.ping)
  }
}
