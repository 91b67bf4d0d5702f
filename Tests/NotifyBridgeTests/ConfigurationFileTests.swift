import Foundation
import Testing

@testable import notify_bridge

@Suite("Config/notify-bridge.yaml")
struct DocumentedConfigurationTests {
  private static let repository = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private func text(_ path: String) throws -> String {
    try String(contentsOf: Self.repository.appendingPathComponent(path), encoding: .utf8)
  }

  /// The lines above a key, and the key's own, commented out or not.
  private func entry(_ setting: Setting) throws -> (comment: String, line: String) {
    let lines = try text("Config/notify-bridge.yaml").split(separator: "\n", omittingEmptySubsequences: false)
      .map(String.init)
    let start = try setting.section.map { name in try #require(lines.firstIndex(of: name + ":")) } ?? 0
    let indent = setting.section == nil ? "" : "  "
    let index = try #require(
      lines[start...].firstIndex {
        $0.hasPrefix("\(indent)\(setting.key):") || $0.hasPrefix("\(indent)# \(setting.key):")
      },
      "\(setting.id) is not documented")
    return (lines[index - 1], lines[index])
  }

  @Test(
    "The annotated YAML file documents every setting with its type, range and default", arguments: Setting.all.map(\.id)
  )
  func complete(id: String) throws {
    let setting = try #require(Setting.all.first { $0.id == id })
    let (comment, line) = try entry(setting)
    if let range = setting.form.range {
      #expect(comment.contains("\(range.lowerBound) to \(range.upperBound)"), "\(id)")
    }
    if let text = setting.defaultText {
      #expect(comment.contains("default: \(text)"), "\(id)")
      #expect(line.hasSuffix(": \(text)"), "\(id)")
    }
    if let unit = setting.form.unit { #expect(comment.contains(unit), "\(id)") }
    #expect(comment.contains("(reload)") == setting.isReloadable, "\(id)")
  }

  @Test("The annotated YAML file can be read, and its values are the defaults")
  func valid() throws {
    let settings = try resolve(yaml: text("Config/notify-bridge.yaml"))
    #expect(Settings().changes(to: settings).filter { !$0.isSecret }.map(\.id) == [])
    #expect(Settings().changes(to: settings).map(\.id) == ["database.url"])
  }

  @Test("The minimal YAML file can be read")
  func minimal() throws {
    _ = try resolve(yaml: text("Config/notify-bridge.minimal.yaml"))
  }

  @Test(
    "The generated pages match the table of settings; if not, run `make configuration`",
    arguments: ReferencePages.Page.allCases)
  func generated(page: ReferencePages.Page) throws {
    #expect(try text(page.path) == page.text, "\(page.path) is out of date: run `\(ReferencePages.command)`")
  }
}
