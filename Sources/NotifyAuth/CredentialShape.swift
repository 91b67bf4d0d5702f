/// The kind of a credential, by its text alone.
///
/// The shapes exclude each other: a text has one meaning, however many login methods are enabled.
package enum CredentialShape: Sendable, Equatable {
  /// Three base64url parts between two dots; the last may be empty (`alg: none`), to be refused with a fitting reason.
  case jwt
  /// `nbt_` and base64url: a one-time ticket of this bridge.
  case ticket
  /// Forty lowercase hexadecimal digits: a key of Django REST framework.
  case key

  /// How every one-time ticket begins.
  package static let ticketPrefix = "nbt_"

  /// The shape of a text; nil for any other text.
  package init?(of text: String) {
    let bytes = text.utf8
    if text.utf8.starts(with: Self.ticketPrefix.utf8) {
      let rest = bytes.dropFirst(Self.ticketPrefix.utf8.count)
      guard !rest.isEmpty, rest.allSatisfy(Base64URL.isDigit) else { return nil }
      self = .ticket
    } else if bytes.count == 40, bytes.allSatisfy({ (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }) {
      self = .key
    } else {
      let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
      guard parts.count == 3, !parts[0].isEmpty, !parts[1].isEmpty,
        parts.allSatisfy({ $0.allSatisfy(Base64URL.isDigit) })
      else { return nil }
      self = .jwt
    }
  }
}
