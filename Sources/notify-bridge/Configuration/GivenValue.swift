/// A value as it was written, before it is checked.
enum GivenValue: Sendable, Equatable {
  /// A flag, a variable or a YAML scalar.
  case text(String)
  /// The elements of a YAML list.
  case list([String])

  /// Whether nothing was given: an empty text, or a list without elements.
  var isEmpty: Bool {
    switch self {
    case .text(let text): text.isEmpty
    case .list(let items): items.isEmpty
    }
  }

  /// The text; nil for a list.
  var text: String? {
    guard case .text(let text) = self else { return nil }
    return text
  }
}
