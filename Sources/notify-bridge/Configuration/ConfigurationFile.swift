import Yams

/// The settings of a YAML file as they are written, before it is known which of them there are.
struct ConfigurationFile: Sendable {
  /// One key of the file.
  struct Entry: Sendable, Equatable {
    /// With the keys that it stands below: `http.port`.
    let key: String
    let line: Int
    /// Its value; nil where there is none, or other keys stand below.
    let value: GivenValue?
  }

  /// The largest file that is read; a larger one is no configuration.
  static let maximumBytes = 1 << 20

  let path: String
  let entries: [Entry]

  /// Reads a file.
  ///
  /// - Parameter subject: what names the file, for the error.
  init(path: String, subject: String) throws(ConfigurationError) {
    let text = try SettingFile.read(path, maximumBytes: Self.maximumBytes, subject: subject)
    try self.init(path: path, text: text)
  }

  /// Reads YAML.
  init(path: String, text: String) throws(ConfigurationError) {
    self.path = path
    let root: Node?
    do {
      root = try Parser(yaml: text, encoding: .utf8).singleRoot()
    } catch {
      throw ConfigurationError("\(path) can't be read as YAML: \(Self.explanation(error))")
    }
    guard let root, !Self.isNull(root) else {
      entries = []
      return
    }
    guard let mapping = root.mapping else {
      throw ConfigurationError("\(path) holds no settings: a key, a colon and a value are expected in each line")
    }
    var entries: [Entry] = []
    try Self.collect(mapping, below: "", path: path, into: &entries)
    self.entries = entries
  }

  private static func collect(
    _ mapping: Node.Mapping, below prefix: String, path: String, into entries: inout [Entry]
  ) throws(ConfigurationError) {
    for (key, node) in mapping {
      let line = key.mark?.line ?? 0
      guard let name = key.scalar?.string else {
        throw ConfigurationError("\(path), line \(line): a key must be a word")
      }
      let full = prefix + name
      if let below = node.mapping, !below.isEmpty {
        try collect(below, below: full + ".", path: path, into: &entries)
      } else {
        entries.append(Entry(key: full, line: line, value: try value(node, full, path)))
      }
    }
  }

  private static func value(_ node: Node, _ key: String, _ path: String) throws(ConfigurationError) -> GivenValue? {
    if isNull(node) { return nil }
    if let scalar = node.scalar { return .text(scalar.string) }
    guard let sequence = node.sequence else { return nil }
    let items = sequence.compactMap { $0.scalar?.string }
    guard items.count == sequence.count else {
      throw ConfigurationError("\(path), line \(node.mark?.line ?? 0): \(key) may hold texts only")
    }
    return .list(items)
  }

  private static func isNull(_ node: Node) -> Bool { node.null != nil }

  /// The problem and its place, without a word of the file: it may hold secrets.
  private static func explanation(_ error: any Error) -> String {
    switch error as? YamlError {
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let context = context.map { ", \($0.text) in line \($0.mark.line)" } ?? ""
      return "line \(mark.line), column \(mark.column): \(problem)\(context)"
    case .reader(let problem, _, _, _): return problem
    case .duplicatedKeysInMapping(_, let context):
      return "a key stands twice in the mapping of line \(context.mark.line)"
    default: return "unknown error"
    }
  }
}
