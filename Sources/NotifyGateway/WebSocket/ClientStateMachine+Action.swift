import NIOCore
import NotifyCore

extension ClientStateMachine {
  /// The channel handler's answer to an input.
  enum Action: Equatable {
    case none

    // MARK: Connecting

    /// Verify the credential, then report `verified`.
    case verify(Credential)
    /// Join the user's group, then request the replay after this cursor.
    case join(UserID, since: String?)
    /// Write the first page of the replay and the messages before it, then handle the client's early messages; when the
    /// page is flushed, report `pageFlushed`.
    case open(DeliverySession.Opening, epoch: Epoch, early: [ClientMessage])
    /// Write a later page of the replay; when it is flushed, report `pageFlushed`.
    case writePage(DeliverySession.Opening, epoch: Epoch)

    // MARK: Messages

    /// Write a heartbeat, with the newest cursor where that vouches for this connection.
    case answerPing(withCursor: Bool)
    /// Write an error message.
    case reportError(String)
    /// Record acknowledged rows as delivered, count the ids that are not, and go on catching up.
    case acknowledge([PendingMark], ignored: Int, then: DeliverySession.Next)
    /// Pass on a read receipt.
    case recordRead(UserID, [RowName])
    /// Count ids that mean no row.
    case ignoreIDs(Int)
    /// Write a pong.
    case pong(ByteBuffer)
    /// Send a message back.
    case echo(ByteBuffer, isText: Bool)

    // MARK: The end

    /// Write a close frame.
    case close(CloseReason)
    /// Count and log a refused connect, then write a close frame.
    case reject(CloseReason, detail: String)
    /// Write a close frame, then end our side of the stream: the peer's frames can't be read any more.
    case closeAndEndOutput(CloseReason)
    /// End our side of the stream: a close frame was written before.
    case endOutput
    /// Answer the peer's close frame with its code, then close the socket.
    case answerClose(UInt16?)
    /// Close the socket.
    case closeSocket
    /// Log the end and forget the connection; `leaves`: it is still in its group.
    case forget(code: UInt16, closer: Closer, leaves: Bool)
  }

  /// The answer to a tick: both parts are performed, in this order.
  struct TickActions: Equatable {
    /// Verify this credential, then report `verified`.
    var verify: Credential?
    var then = Then.none

    enum Then: Equatable {
      case none
      /// Write the tick's heartbeat and ping, with the newest cursor where that vouches for this connection.
      case heartbeat(withCursor: Bool)
      case perform(Action)
    }
  }
}
