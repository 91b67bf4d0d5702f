import Foundation
import NotifyCore
import NotifyStore

/// A type of settings: the one place where a text becomes a value and is checked.
struct SettingType<Value: Equatable & Sendable>: Sendable {
  let form: SettingForm
  /// Makes a value of a text or a list; nil where that is not a value of this type.
  let value: @Sendable (GivenValue) -> Value?
  /// A value as it stands in a YAML file; nil for one that can't be written.
  let text: @Sendable (Value) -> String?

  private init(
    _ form: SettingForm, value: @escaping @Sendable (GivenValue) -> Value?, text: @escaping @Sendable (Value) -> String?
  ) {
    self.form = form
    self.value = value
    self.text = text
  }

  /// The same values, and nil where there is none.
  var optional: SettingType<Value?> {
    SettingType<Value?>(form, value: { value($0).map { .some($0) } }, text: { $0.flatMap(text) })
  }

  /// A type whose values are written as one text.
  private init(
    _ form: SettingForm, parse: @escaping @Sendable (String) -> Value?, text: @escaping @Sendable (Value) -> String?
  ) {
    self.init(form, value: { $0.text.flatMap(parse) }, text: text)
  }
}

// MARK: Texts

extension SettingType<String> {
  static let text = SettingType(
    SettingForm(name: "text", allowed: "a text", placeholder: "text"), parse: withoutNUL, text: { $0 })
  static let path = SettingType(
    SettingForm(name: "path of a file", allowed: "the path of a file that can be read", placeholder: "file"),
    parse: withoutNUL, text: { $0 })

  /// The text, unless it has a NUL: no C library takes that.
  fileprivate static func withoutNUL(_ text: String) -> String? { text.unicodeScalars.contains("\0") ? nil : text }
}

extension SettingType<[String]> {
  /// A YAML list, or text separated by commas; empty elements are left out.
  static let list = SettingType(
    SettingForm(name: "list, or text separated by commas", allowed: "a list of texts", placeholder: "list"),
    value: elements, text: { $0.isEmpty ? nil : "[\($0.joined(separator: ", "))]" })

  fileprivate static func elements(_ given: GivenValue) -> [String]? {
    let items =
      switch given {
      case .text(let text): text.split(separator: ",").map { $0.trimmingSpaces() }
      case .list(let items): items.map { $0.trimmingSpaces() }
      }
    guard items.allSatisfy({ SettingType<String>.withoutNUL($0) != nil }) else { return nil }
    return items.filter { !$0.isEmpty }
  }
}

extension SettingType<Secret> {
  static let secret = SettingType(
    SettingForm(name: "secret text", allowed: "a text", placeholder: "secret", isSecret: true),
    parse: { SettingType<String>.withoutNUL($0).map { Secret($0) } }, text: { _ in nil })
  static let databaseURL = SettingType(
    SettingForm(
      name: "secret text, a libpq URI or conninfo", allowed: "a text", placeholder: "url", isSecret: true),
    parse: { SettingType<String>.withoutNUL($0).map { Secret($0) } }, text: { _ in nil })
}

extension SettingType<[Secret]> {
  static let secrets = SettingType(
    SettingForm(
      name: "secret list, or text separated by commas", allowed: "a list of texts", placeholder: "secrets",
      isSecret: true),
    value: { SettingType<[String]>.elements($0)?.map { Secret($0) } }, text: { _ in nil })
}

extension SettingType<URL> {
  static let url = SettingType(
    SettingForm(name: "URL", allowed: "a URL that begins with https:// or http://", placeholder: "url"),
    parse: { text in
      let lower = text.lowercased()
      let hasScheme = ["https://", "http://"].contains { lower.hasPrefix($0) && lower.utf8.count > $0.utf8.count }
      return hasScheme && !text.contains(where: \.isWhitespace) ? URL(string: text) : nil
    }, text: { $0.absoluteString })
}

// MARK: Numbers

extension SettingType<Int> {
  /// A whole number.
  ///
  /// - Parameter unit: the plural word for its unit.
  static func integer(_ range: ClosedRange<Int>, _ unit: String? = nil) -> SettingType {
    SettingType(.number(range, unit), parse: { number($0, in: range) }, text: { String($0) })
  }

  fileprivate static func number(_ text: String, in range: ClosedRange<Int>) -> Int? {
    guard !text.hasPrefix("+"), let number = Int(text), range.contains(number) else { return nil }
    return number
  }
}

extension SettingType<Double> {
  /// A whole number that the program computes with.
  static func number(_ range: ClosedRange<Int>, _ unit: String) -> SettingType {
    SettingType(
      .number(range, unit), parse: { SettingType<Int>.number($0, in: range).map(Double.init) },
      text: { String(Int($0)) })
  }
}

extension SettingType<Duration> {
  /// A time in whole milliseconds.
  static func milliseconds(_ range: ClosedRange<Int>) -> SettingType {
    SettingType(
      .number(range, "milliseconds"),
      parse: { SettingType<Int>.number($0, in: range).map { .milliseconds($0) } },
      text: { String(Int($0 / .milliseconds(1))) })
  }
}

extension SettingForm {
  fileprivate static func number(_ range: ClosedRange<Int>, _ unit: String?) -> SettingForm {
    let bounds = "\(range.lowerBound) to \(range.upperBound)"
    return SettingForm(
      name: "whole number\(unit.map { " of \($0)" } ?? ""), \(bounds)", allowed: "a whole number, \(bounds)",
      placeholder: unit?.split(separator: " ").first.map(String.init) ?? "number", range: range, unit: unit)
  }
}

// MARK: Words

extension SettingType<Bool> {
  static let boolean = SettingType(.boolean, parse: truth, text: { String($0) })

  fileprivate static func truth(_ text: String) -> Bool? {
    switch text.lowercased() {
    case "true", "yes", "on", "1": true
    case "false", "no", "off", "0": false
    default: nil
    }
  }
}

extension SettingType<RetentionWindow> {
  /// A time of the day.
  static let window = SettingType(
    SettingForm(
      name: "time of the day, HH:MM-HH:MM", allowed: "a time of the day such as 02:00-05:00", placeholder: "from-to"),
    parse: { RetentionWindow($0) }, text: { $0.description })
}

extension SettingType<Pooler> {
  /// Whether a pooler is in between; without a word it is detected.
  static let pooler = SettingType(
    .boolean, parse: { SettingType<Bool>.truth($0).map { $0 ? .always : .never } },
    text: { $0 == .detected ? nil : String($0 == .always) })
}

extension SettingForm {
  fileprivate static let boolean = SettingForm(
    name: "true or false", allowed: "true or false", placeholder: "true|false")
}

extension SettingType where Value: CaseIterable & RawRepresentable<String> {
  /// One of the type's words, in any case.
  static var word: SettingType {
    let words = Value.allCases.map(\.rawValue)
    let allowed = "one of \(words.joined(separator: ", "))"
    return SettingType(
      SettingForm(name: allowed, allowed: allowed, placeholder: "word", words: words),
      parse: { Value(rawValue: $0.lowercased()) }, text: { $0.rawValue })
  }
}
