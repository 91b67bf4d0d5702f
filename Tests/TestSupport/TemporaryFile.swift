import Foundation

/// A file that is gone after its use.
package enum TemporaryFile {
  /// Runs a test with a file that holds a text.
  ///
  /// - Parameter use: gets the file's path.
  package static func with<T>(_ text: String, _ use: (String) async throws -> T) async throws -> T {
    let url = FileManager.default.temporaryDirectory.appending(path: "notify-bridge-\(UUID().uuidString)")
    try write(text, to: url.path)
    defer { try? FileManager.default.removeItem(at: url) }
    return try await use(url.path)
  }

  /// Replaces a file's content in one step.
  package static func write(_ text: String, to path: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
  }
}
