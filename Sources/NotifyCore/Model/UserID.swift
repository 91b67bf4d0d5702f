/// A recipient, as the text that the database has for it.
///
/// Inside the bridge every user id counts as text, whatever the column's type: a number and a string that read the same are the
/// same user.
package struct UserID: Hashable, Sendable, CustomStringConvertible {
  /// Most ids are numbers; those are kept as such, which hash and compare at a fraction of the cost.
  private enum Form: Hashable {
    case integer(Int64)
    case text(String)

    /// Byte by byte, as PostgreSQL compares: Swift's own equality takes different spellings of a character as the same.
    static func == (left: Form, right: Form) -> Bool {
      switch (left, right) {
      case (.integer(let left), .integer(let right)): left == right
      case (.text(let left), .text(let right)): left.utf8.elementsEqual(right.utf8)
      default: false
      }
    }

    func hash(into hasher: inout Hasher) {
      switch self {
      case .integer(let number): hasher.combine(number)
      case .text(let text): hasher.combine(text)
      }
    }
  }

  private let form: Form

  /// Makes an id, or nil where the text is empty or longer than `Limits.userIDBytes` bytes.
  package init?(_ text: some StringProtocol) {
    var text = String(text)
    guard let user = text.withUTF8({ UserID(utf8: UnsafeRawBufferPointer($0)) }) else { return nil }
    self = user
  }

  /// The same of the text's bytes.
  package init?(utf8 bytes: UnsafeRawBufferPointer) {
    guard (1...Limits.userIDBytes).contains(bytes.count) else { return nil }
    form = DecimalInteger.read(bytes).map { .integer($0) } ?? .text(String(decoding: bytes, as: UTF8.self))
  }

  /// Makes an id of an integer column.
  package init(_ number: Int64) {
    form = .integer(number)
  }

  /// The id as text: at most `Limits.userIDBytes` bytes of UTF-8, never empty.
  package var text: String {
    switch form {
    case .integer(let number): String(number)
    case .text(let text): text
    }
  }

  /// The id as an integer where its text is the canonical form of one (`7`, `-7`; neither `07` nor `+7`).
  package var integer: Int64? {
    guard case .integer(let number) = form else { return nil }
    return number
  }

  /// Whether the text is a uuid as PostgreSQL writes it: lower case, with hyphens.
  package var isUUID: Bool { ColumnKind.isUUID(text) }

  /// The user as these tables have it: where recipients are uuids, every spelling of one is the same user.
  package func canonical(among tables: TableCatalog) -> UserID {
    guard case .text(let text) = form, tables.hasUUIDRecipients else { return self }
    return ColumnKind.canonicalUUID(text).flatMap { UserID($0) } ?? self
  }

  /// Whether a column of this kind can hold the user.
  package func fits(_ kind: ColumnKind) -> Bool {
    switch kind {
    case .integer: integer != nil
    case .uuid: isUUID
    case .text: true
    }
  }

  /// The name of the user's group, as in Django Channels.
  package var group: String { "user_\(text)_notifications" }

  package var description: String { text }
}
