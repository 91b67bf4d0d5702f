import NIOCore
import NotifyCore

/// What the console can do, as the body of its POST names it.
enum ConsoleAction: String, CaseIterable {
  case resend, disconnect, test, retry

  /// The longest name of a table or id that is taken, in bytes.
  private static let textBytes = 1_024

  /// The question to the database; nil where the body does not name what the action is about.
  func question(_ body: ByteBuffer, tables: TableCatalog) -> ConsoleQuestion? {
    body.withUnsafeReadableBytes { bytes -> ConsoleQuestion? in
      guard let object = JSONValue(bytes), object.isObject else { return nil }
      let source = object["source"].flatMap(Self.text)
      let id = object["id"].flatMap(Self.text)
      let user = object["user"].flatMap(UserID.init(_:))?.canonical(among: tables)
      switch self {
      case .resend:
        guard let source, let id else { return nil }
        return .resend(source: source, id: id)
      case .disconnect:
        return user.map { ConsoleQuestion.disconnect(user: $0) }
      case .test:
        guard let user, object["source"].map({ $0.isNull || source != nil }) ?? true else { return nil }
        return .test(user: user, source: source)
      case .retry:
        guard let source, object["id"].map({ $0.isNull || id != nil }) ?? true else { return nil }
        return .retry(source: source, id: id)
      }
    }
  }

  /// A short text without control characters, or a whole number as text.
  private static func text(_ value: JSONValue) -> String? {
    if let number = value.integer { return String(number) }
    return value.string.flatMap(checked)
  }

  /// The text where it is short and has no control characters, so that it may stand in a statement and in a log.
  static func checked(_ text: String) -> String? {
    let isGood =
      (1...textBytes).contains(text.utf8.count)
      && !text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F }
    return isGood ? text : nil
  }
}
