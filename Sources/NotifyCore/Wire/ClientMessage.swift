/// A message from a client.
package enum ClientMessage: Equatable, Sendable {
  /// Requests a heartbeat.
  case ping
  /// Rows of a table that arrived (connections with `ack=1`); without `source` of the only table.
  case acknowledge([RowID], source: String?)
  /// Rows of a table that the user has read.
  case read([RowID], source: String?)
  /// A credential, as the first message or to replace one that expires.
  case authenticate(token: String)
  /// Anything else, with the fault; the message is not quoted.
  case invalid(String)

  /// Reads one text message. Never fails: an unreadable one is `.invalid`.
  package static func read(_ text: UnsafeRawBufferPointer) -> ClientMessage {
    ClientMessageFastPath.read(text) ?? decode(text)
  }

  /// The same for every text, by the JSON reader.
  static func decode(_ text: UnsafeRawBufferPointer) -> ClientMessage {
    guard let fields = JSONValue(text), let type = fields["type"]?.string else {
      return .invalid("a message is a JSON object with a string \"type\"")
    }
    switch type {
    case "ping":
      return .ping
    case "ack", "read":
      return rows(fields, of: type)
    case "authenticate":
      guard let token = fields["token"]?.string else {
        return .invalid("\"authenticate\" needs \"token\", a string")
      }
      return .authenticate(token: token)
    default:
      return .invalid("\"type\" is one of ping, ack, read, authenticate")
    }
  }

  private static func rows(_ fields: JSONValue, of type: String) -> ClientMessage {
    guard let values = fields["ids"]?.elements else {
      return .invalid("\"\(type)\" needs \"ids\", a list of integers or strings")
    }
    var ids: [RowID] = []
    for value in values {
      guard ids.count < Limits.idsPerMessage else {
        return .invalid("more than \(Limits.idsPerMessage) ids in a message")
      }
      guard let id = value.integer.map(RowID.integer) ?? value.string.map(RowID.text) else {
        return .invalid("\"ids\" are integers or strings")
      }
      ids.append(id)
    }
    var source: String?
    if let value = fields["source"], !value.isNull {
      source = value.string
      if source == nil { return .invalid("\"source\" is a string, the name of a table") }
    }
    return type == "ack" ? .acknowledge(ids, source: source) : .read(ids, source: source)
  }
}
