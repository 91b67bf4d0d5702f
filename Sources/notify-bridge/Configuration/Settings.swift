import NotifyCore

/// The settings of a run: each checked, with where it came from.
struct Settings: Sendable {
  /// A value in its one form.
  struct Value: Sendable, Equatable {
    let text: String
    let origin: ConfigurationOrigin
  }

  private let values: [ConfigurationKey: Value]

  init(values: [ConfigurationKey: Value]) { self.values = values }

  /// The value and its origin; nil where it has none, not even by default.
  subscript(_ key: ConfigurationKey) -> Value? { values[key] }

  /// A text, or nil where there is none.
  func text(_ key: ConfigurationKey) -> String? { values[key]?.text }

  /// A secret, or nil where there is none.
  func secret(_ key: ConfigurationKey) -> Secret? { values[key].map { Secret($0.text) } }

  /// A number, or nil where there is none.
  func integer(_ key: ConfigurationKey) -> Int? { values[key].flatMap { Int($0.text) } }

  /// A number that has a default.
  func number(_ key: ConfigurationKey) -> Int {
    guard let number = integer(key) else { preconditionFailure("\(key.name) has no default") }
    return number
  }

  /// A switch; off where it is not given.
  func flag(_ key: ConfigurationKey) -> Bool { values[key]?.text == "true" }

  /// A list without empty elements; nil where it is not given.
  func list(_ key: ConfigurationKey) -> [String]? {
    values[key].map { value in
      value.text.split(separator: ",").map { $0.trimmingSpaces() }.filter { !$0.isEmpty }
    }
  }

  /// How the operator gave a setting, for messages: the name that was used, or its variable.
  func origin(_ key: ConfigurationKey) -> String {
    switch values[key]?.origin {
    case nil, .standard: key.variable
    case .some(let origin): origin.description
    }
  }

  /// The same settings with other values in some places.
  func replacing(_ key: ConfigurationKey, with text: String) -> Settings {
    var changed = values
    changed[key] = Value(text: text, origin: values[key]?.origin ?? .standard)
    return Settings(values: changed)
  }

  /// Settings whose values differ in another set.
  func changes(to other: Settings) -> [ConfigurationKey] {
    ConfigurationKey.all.filter { self[$0]?.text != other[$0]?.text }
  }
}

extension StringProtocol {
  /// The text without white space around it.
  func trimmingSpaces() -> String {
    var rest = Substring(self)
    while rest.first?.isWhitespace == true { rest.removeFirst() }
    while rest.last?.isWhitespace == true { rest.removeLast() }
    return String(rest)
  }
}
