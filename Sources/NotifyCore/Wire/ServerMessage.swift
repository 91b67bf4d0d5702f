/// The messages of the bridge to a client, but for rows, which `FrameEncoder` writes.
package enum ServerMessage: Equatable, Sendable {
  /// Always the first message of a connection.
  ///
  /// `isNumber`: the user's id is a JSON number where it reads as one.
  case connectionEstablished(user: UserID, isNumber: Bool, timestamp: Int64, epoch: Epoch, cursor: String?)
  /// The answer to a ping, and regularly.
  case heartbeat(timestamp: Int64, cursor: String?)
  /// Too many rows after `since`, or it is of another epoch, from the future or too old: the client refetches.
  case replayTruncated(limit: Int, cursor: String?)
  /// The client's message was no good; the connection stays open.
  case error(code: String, message: String)

  /// The message as one JSON object, its keys in the order of `Documentation/protocol.md`. Timestamps are microseconds since 1970 UTC.
  package var json: String {
    switch self {
    case .connectionEstablished(let user, let isNumber, let timestamp, let epoch, let cursor):
      return #"{"type":"connection_established","user_id":\#(JSONText.user(user, integerColumn: isNumber))"#
        + #","timestamp":"\#(Timestamp.text(microseconds: timestamp))","group":\#(JSONText.string(user.group)),"epoch":"\#(epoch)""#
        + Self.cursorField(cursor) + "}"
    case .heartbeat(let timestamp, let cursor):
      return #"{"type":"heartbeat","timestamp":"\#(Timestamp.text(microseconds: timestamp))""#
        + Self.cursorField(cursor) + "}"
    case .replayTruncated(let limit, let cursor):
      return #"{"type":"replay_truncated","limit":\#(limit)"# + Self.cursorField(cursor) + "}"
    case .error(let code, let message):
      return #"{"type":"error","code":\#(JSONText.string(code)),"message":\#(JSONText.string(message))}"#
    }
  }

  private static func cursorField(_ cursor: String?) -> String {
    // A cursor needs no escaping: see `Cursor`.
    cursor.map { #","cursor":"\#($0)""# } ?? ""
  }
}
