internal import Foundation
internal import NotifyCrypto

/// The checksum by which applied SQL is recognised.
enum SQLChecksum {
  /// SHA-256 of the texts one after the other, in hex.
  static func of(_ texts: [String]) -> String {
    HashFunction.sha256.digest(texts.flatMap(\.utf8)).map { String(format: "%02x", $0) }.joined()
  }
}
