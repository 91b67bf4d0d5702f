/// What a setting's value must be.
enum ConfigurationType: Sendable, Equatable {
  case text
  case secret
  case databaseURL
  case path
  case httpURL
  case boolean
  case list
  case integer(ClosedRange<Int>)
  case choice([String])

  /// The type's name in the documentation.
  var name: String {
    switch self {
    case .text: "text"
    case .secret: "secret text"
    case .databaseURL: "secret text, a libpq URI or conninfo"
    case .path: "path of a file"
    case .httpURL: "URL"
    case .boolean: "true or false"
    case .list: "list, or text separated by commas"
    case .integer: "whole number"
    case .choice: "one of a few words"
    }
  }

  /// What is allowed, as the end of a sentence.
  var allowed: String {
    switch self {
    case .text, .secret, .databaseURL, .list: "a text"
    case .path: "the path of a file that can be read"
    case .httpURL: "a URL that begins with https:// or http://"
    case .boolean: "true or false"
    case .integer(let range): "a whole number, \(range.lowerBound) to \(range.upperBound)"
    case .choice(let words): "one of \(words.joined(separator: ", "))"
    }
  }

  /// The text in its one form, or nil where it is no value of this type.
  func canonical(_ text: String) -> String? {
    switch self {
    case .text, .secret, .databaseURL, .path, .list:
      return text.unicodeScalars.contains("\0") ? nil : text
    case .httpURL:
      let lower = text.lowercased()
      for scheme in ["https://", "http://"] where lower.hasPrefix(scheme) && lower.utf8.count > scheme.utf8.count {
        return lower.contains(where: \.isWhitespace) ? nil : text
      }
      return nil
    case .boolean:
      switch text.lowercased() {
      case "true", "yes", "on", "1": return "true"
      case "false", "no", "off", "0": return "false"
      default: return nil
      }
    case .integer(let range):
      guard let number = Int(text), range.contains(number), !text.hasPrefix("+") else { return nil }
      return String(number)
    case .choice(let words):
      let lower = text.lowercased()
      return words.contains(lower) ? lower : nil
    }
  }
}
