/// A recipient, as the text that the database has for it.
///
/// Inside the bridge every user id is text, whatever the column's type: a number and a string that read the same are the
/// same user.
package struct UserID: Hashable, Sendable, CustomStringConvertible {
  /// The id as text: at most `Limits.userIDBytes` bytes of UTF-8, never empty.
  package let text: String

  /// Byte by byte, as PostgreSQL compares: Swift's own equality takes different spellings of a character as the same.
  package static func == (left: UserID, right: UserID) -> Bool {
    left.text == right.text && left.text.utf8.elementsEqual(right.text.utf8)
  }

  /// Makes an id, or nil where the text is empty or longer than `Limits.userIDBytes` bytes.
  package init?(_ text: some StringProtocol) {
    guard !text.isEmpty, text.utf8.count <= Limits.userIDBytes else { return nil }
    self.text = String(text)
  }

  /// Makes an id of an integer column.
  package init(_ number: Int64) {
    self.text = String(number)
  }

  /// The id as an integer where its text is the canonical form of one (`7`, `-7`; neither `07` nor `+7`).
  package var integer: Int64? {
    guard let number = Int64(text), String(number) == text else { return nil }
    return number
  }

  /// Whether the text is a uuid as PostgreSQL writes it: lower case, with hyphens.
  package var isUUID: Bool { ColumnKind.isUUID(text) }

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
