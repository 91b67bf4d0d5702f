package import Foundation

/// A message from a client.
package enum ClientMessage: Equatable, Sendable {
  /// Asks for a heartbeat.
  case ping
  /// Rows that arrived (connections with `ack=1`).
  case acknowledge([Int64])
  /// Rows that the user has read.
  case read([Int64])
  /// A credential, as the first message or to replace one that expires.
  case authenticate(token: String)
  /// Anything else; says what is wrong, without quoting it.
  case invalid(String)

  /// Reads one text message. Never fails; what can't be read is `.invalid`.
  package static func read(_ bytes: Data) -> ClientMessage {
    guard let fields = try? JSONDecoder().decode(Fields.self, from: bytes) else {
      return .invalid("a message is a JSON object with a string \"type\"; \"ids\" are integers, \"token\" is a string")
    }
    switch fields.type {
    case "ping":
      return .ping
    case "ack", "read":
      guard let ids = fields.ids else { return .invalid("\"\(fields.type)\" needs \"ids\", a list of integers") }
      guard ids.count <= Limits.idsPerMessage else {
        return .invalid("more than \(Limits.idsPerMessage) ids in a message")
      }
      return fields.type == "ack" ? .acknowledge(ids) : .read(ids)
    case "authenticate":
      guard let token = fields.token else { return .invalid("\"authenticate\" needs \"token\", a string") }
      return .authenticate(token: token)
    default:
      return .invalid("\"type\" is one of ping, ack, read, authenticate")
    }
  }

  private struct Fields: Decodable {
    let type: String
    let ids: [Int64]?
    let token: String?
  }
}
