import Configuration
import Foundation
import Synchronization

/// The settings of a YAML file, as texts, before anybody knows whether they are any good.
struct ConfigurationFile: Sendable {
  /// One setting of the file.
  struct Entry: Sendable, Equatable {
    /// As it stands in the file: `http.port`.
    let key: String
    /// The name it would have in the table: `HTTP_PORT`.
    let name: String
    /// Its value; the elements of a list are joined by commas.
    let text: String
  }

  /// The largest file that is read; a larger one is no configuration.
  static let maximumBytes = 1 << 20

  let path: String
  let entries: [Entry]

  /// Reads a file.
  init(path: String) throws(ConfigurationError) {
    let text = try SettingFile.read(path, maximumBytes: Self.maximumBytes, subject: "--config \(path)")
    try self.init(path: path, text: text)
  }

  /// Reads YAML.
  init(path: String, text: String) throws(ConfigurationError) {
    self.path = path
    guard !Self.isEmpty(text) else {
      entries = []
      return
    }
    // The snapshot has no list of its keys, but it asks about each of them whether it is secret.
    let keys = KeyList()
    let options = YAMLSnapshot.ParsingOptions(secretsSpecifier: .dynamic { key, _ in keys.add(key) })
    do {
      let snapshot = try YAMLSnapshot(data: Array(text.utf8).span.bytes, providerName: path, parsingOptions: options)
      entries = try keys.sorted.map { key in
        Entry(key: key, name: Self.name(of: key), text: try Self.text(of: key, in: snapshot))
      }
    } catch let error as ConfigurationError {
      throw error
    } catch {
      // The first line says what and where; those after it quote the file, secrets included.
      let first = "\(error)".split(separator: "\n").first.map(String.init) ?? "unknown error"
      throw ConfigurationError("\(path) is no YAML that can be read: \(first)")
    }
  }

  /// The name of a key in the table, however its words are joined: `auth.jwt_secret`, `auth.jwt.secret`, `auth.jwtSecret`.
  static func name(of key: String) -> String {
    var name = ""
    var afterLower = false
    for character in key {
      if character.isUppercase, afterLower { name += "_" }
      name += character.isLetter || character.isNumber ? character.uppercased() : "_"
      afterLower = character.isLowercase
    }
    return name
  }

  private static func text(of key: String, in snapshot: YAMLSnapshot) throws -> String {
    let path = AbsoluteConfigKey(key.split(separator: ".", omittingEmptySubsequences: false).map(String.init))
    if let list = try? snapshot.value(forKey: path, type: .stringArray).value,
      case .stringArray(let items) = list.content
    {
      if let bad = items.first(where: { $0.contains(",") }) {
        throw ConfigurationError("\(key): an element of a list can't hold a comma (\"\(bad.prefix(20))…\")")
      }
      return items.joined(separator: ",")
    }
    guard case .string(let text)? = try snapshot.value(forKey: path, type: .string).value?.content else { return "" }
    return ["~", "null"].contains(text.lowercased()) ? "" : text
  }

  private static func isEmpty(_ text: String) -> Bool {
    text.split(whereSeparator: \.isNewline).allSatisfy { line in
      let line = line.drop(while: \.isWhitespace)
      return line.isEmpty || line.hasPrefix("#") || line == "---"
    }
  }

  /// Collects the keys that the parser comes upon.
  private final class KeyList: Sendable {
    private let keys = Mutex<[String]>([])

    var sorted: [String] { keys.withLock { $0.sorted() } }

    /// Notes a key; every value counts as secret, since nobody knows yet what it is.
    func add(_ key: String) -> Bool {
      keys.withLock { $0.append(key) }
      return true
    }
  }
}
