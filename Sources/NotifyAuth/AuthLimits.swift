package import NotifyCore

/// The bounds of verifying credentials, with what happens on reaching each.
extension Limits {
  /// Bytes of a credential's text; a longer one is invalid, unread.
  package static let credentialBytes = 16 << 10
  /// Bytes of a session, as it is kept and inflated; a larger one is invalid.
  package static let sessionBytes = 1 << 20
  /// Levels of a token's, key set's or session's JSON; a deeper one is invalid.
  package static let jsonDepth = 16
  /// Bytes of a key set; a larger one is not read, and the keys before it stay.
  package static let keySetBytes = 256 << 10
  /// Keys of a key set; those after are left out, with a warning.
  package static let keySetKeys = 100
  /// Keys tried for one token; the rest are not, so that a stranger can't buy much work with one connect.
  package static let keysTried = 8
  /// Seconds between two readings of a key set because a token named an unknown key; within, the token is invalid.
  package static let keySetRereadSeconds = 5.0
  /// Tokens waiting for such a reading; beyond, the answer is that it can't be looked up just now.
  package static let keySetWaiters = 1_000
  /// How long one fetch of a key set may take.
  package static let keySetFetchSeconds: Int64 = 5
  /// The longest pause after a fetch of a key set that failed.
  package static let keySetRetrySeconds = 30
  /// How often a key set's file is looked at for a change.
  package static let keySetFilePollSeconds = 1
  /// The latest `exp`, the end of the year 9999: beyond, it is taken for milliseconds, and the token is invalid.
  package static let latestExpiry = 253_402_300_799.0
}
