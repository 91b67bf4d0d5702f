import Foundation
import Testing

@testable import notify_bridge

@Suite("Config/notify-bridge.yaml")
struct DocumentedConfigurationTests {
  private static let folder = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(
      "Config")

  private func text(_ name: String) throws -> String {
    try String(contentsOf: Self.folder.appendingPathComponent(name), encoding: .utf8)
  }

  /// The lines above a key, and the key's own, commented out or not.
  private func entry(_ key: ConfigurationKey) throws -> (comment: String, line: String) {
    let lines = try text("notify-bridge.yaml").split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    let section = key.path.count > 1 ? key.path[0] : nil
    let start = try section.map { name in try #require(lines.firstIndex(of: name + ":")) } ?? 0
    let name = (section == nil ? "" : "  ") + (key.path.last ?? "")
    let index = try #require(
      lines[start...].firstIndex {
        $0.hasPrefix(name + ":")
          || $0.hasPrefix(name.replacing(key.path.last ?? "", with: "# " + (key.path.last ?? "")) + ":")
      },
      "\(key.yamlPath) is not documented")
    return (lines[index - 1], lines[index])
  }

  @Test("documents every setting with its type, range and default", arguments: ConfigurationKey.all)
  func complete(key: ConfigurationKey) throws {
    let (comment, line) = try entry(key)
    if case .integer(let range) = key.type {
      #expect(comment.contains("\(range.lowerBound) to \(range.upperBound)"), "\(key.yamlPath)")
    }
    if let text = key.defaultValue {
      #expect(comment.contains("default: \(text)"), "\(key.yamlPath)")
      #expect(line.hasSuffix(": \(text)"), "\(key.yamlPath)")
    }
    if let unit = key.unit { #expect(comment.contains(unit), "\(key.yamlPath)") }
    #expect(comment.contains("(reload)") == key.isReloadable, "\(key.yamlPath)")
  }

  @Test("can be read, and its values are the defaults")
  func valid() throws {
    let settings = try resolve(yaml: text("notify-bridge.yaml"))
    for key in ConfigurationKey.all where !key.isSecret { #expect(settings[key]?.text == key.defaultValue) }
  }

  @Test("has a minimal sister that can be read too")
  func minimal() throws {
    _ = try resolve(yaml: text("notify-bridge.minimal.yaml"))
  }
}
