package import NotifyCore

/// The bounds of verifying credentials, and the effect of reaching each.
extension Limits {
  /// Bytes of a credential's text; a longer one is invalid, unread.
  package static let credentialBytes = 16 << 10
  /// Bytes of a session, as it is kept and inflated; a larger one is invalid.
  package static let sessionBytes = 1 << 20
  /// Bytes of a key set; a larger one is not read, and the keys before it stay.
  package static let keySetBytes = 256 << 10
  /// Keys of a key set; further ones are left out, with a warning.
  package static let keySetKeys = 100
  /// Keys tried for one token: a stranger can't cause much work with one connect.
  package static let keysTried = 8
  /// Least seconds between two extra reads of a key set for tokens that name an unknown key; meanwhile such a token is
  /// invalid.
  package static let keySetRereadSeconds = 5.0
  /// Tokens that wait for such a read; beyond, the verdict is unavailable.
  package static let keySetWaiters = 1_000
  /// Seconds that one fetch of a key set may take.
  package static let keySetFetchSeconds: Int64 = 5
  /// The longest pause in seconds after a failed fetch of a key set.
  package static let keySetRetrySeconds = 30
  /// Seconds between two checks of a key set's file for a change.
  package static let keySetFilePollSeconds = 1
  /// The latest `exp`, the end of the year 9999: beyond, it is taken for milliseconds, and the token is invalid.
  package static let latestExpiry = 253_402_300_799.0
}
