/// A text that must never be printed: a token, a key, a connection string.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// The text itself, for the one place that needs it.
  package let exposed: String

  package init(_ text: String) { self.exposed = text }

  /// Whether another text is the same, in a time that doesn't tell how much of it is.
  package func matches(_ guess: Secret) -> Bool {
    let (ours, theirs) = (Array(exposed.utf8), Array(guess.exposed.utf8))
    guard ours.count == theirs.count else { return false }
    return zip(ours, theirs).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
  }

  package var description: String { "[redacted]" }
  package var debugDescription: String { "[redacted]" }
  package var customMirror: Mirror { Mirror(self, children: []) }
}
