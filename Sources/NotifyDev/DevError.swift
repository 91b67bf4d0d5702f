/// A failure of `dev`: no server to start, a folder that can't be used, and the like.
package struct DevError: Error, Equatable, CustomStringConvertible {
  /// The problem; no secret.
  package let message: String
  /// The fix; may be empty.
  package let remedy: String

  init(_ message: String, remedy: String = "") {
    self.message = message
    self.remedy = remedy
  }

  package var description: String { remedy.isEmpty ? message : "\(message)\n\(remedy)" }
}
