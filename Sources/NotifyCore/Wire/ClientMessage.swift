import Foundation

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

  /// The same for every text, by a JSON decoder.
  static func decode(_ text: UnsafeRawBufferPointer) -> ClientMessage {
    guard let fields = try? JSONDecoder().decode(Fields.self, from: Data(text)) else {
      return .invalid(
        "a message is a JSON object with a string \"type\"; \"ids\" are integers or strings, \"source\" and \"token\" strings"
      )
    }
    switch fields.type {
    case "ping":
      return .ping
    case "ack", "read":
      guard let ids = fields.ids else {
        return .invalid("\"\(fields.type)\" needs \"ids\", a list of integers or strings")
      }
      guard ids.count <= Limits.idsPerMessage else {
        return .invalid("more than \(Limits.idsPerMessage) ids in a message")
      }
      let rows = ids.map(\.value)
      return fields.type == "ack"
        ? .acknowledge(rows, source: fields.source) : .read(rows, source: fields.source)
    case "authenticate":
      guard let token = fields.token else { return .invalid("\"authenticate\" needs \"token\", a string") }
      return .authenticate(token: token)
    default:
      return .invalid("\"type\" is one of ping, ack, read, authenticate")
    }
  }

  private struct Fields: Decodable {
    let type: String
    let ids: [ID]?
    let source: String?
    let token: String?
  }

  /// A row's id: a number or a string.
  private struct ID: Decodable {
    let value: RowID

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(Int64.self) {
        value = .integer(number)
      } else {
        value = .text(try container.decode(String.self))
      }
    }
  }
}
