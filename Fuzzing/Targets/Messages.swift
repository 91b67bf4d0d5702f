@testable import NotifyCore

/// Messages of a client: `ClientMessage`, its fast path, `JSONText`.
enum Messages {
  static func run(_ input: Input) {
    let message = read(Array(input.bytes), ClientMessage.read)
    check(
      message == read(Array(input.bytes), ClientMessage.decode), "the fast path reads what the decoder reads")
    guard let text = text(of: message) else { return }
    check(read(Array(text.utf8), ClientMessage.read) == message, "a message that is sent again is the same")
    check(read(Array(text.utf8), ClientMessage.decode) == message, "a message that is sent again is the same")
  }

  private static func read(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) -> ClientMessage) -> ClientMessage {
    bytes.withUnsafeBytes(body)
  }

  private static func text(of message: ClientMessage) -> String? {
    switch message {
    case .ping: #"{"type":"ping"}"#
    case .acknowledge(let ids, let source): rows("ack", ids, source)
    case .read(let ids, let source): rows("read", ids, source)
    case .authenticate(let token): #"{"token":\#(JSONText.string(token)),"type":"authenticate"}"#
    case .invalid: nil
    }
  }

  private static func rows(_ type: String, _ ids: [RowID], _ source: String?) -> String {
    check(ids.count <= Limits.idsPerMessage, "a message has no more ids than it may")
    let list = ids.map(JSONText.id).joined(separator: ",")
    return #"{"type":"\#(type)","ids":[\#(list)]"# + (source.map { #","source":\#(JSONText.string($0))"# } ?? "") + "}"
  }
}
