/// Access that has ended, as a row of `notify_bridge.revocation` says it.
package struct Revocation: Hashable, Sendable {
  /// Which sockets are closed.
  package enum Scope: Hashable, Sendable {
    /// All of the user's.
    case user
    /// Those that were opened with one of the user's sessions, any of them.
    case sessions
    /// Those that were opened with the session of this SHA-256 (hex).
    case session(String)
    /// Those that were opened with the token of this SHA-256 (hex).
    case token(String)
  }

  /// Whose; nil where a credential is gone and its user is not known.
  package let user: UserID?
  package let scope: Scope
  /// What the client is told.
  package let reason: CloseReason.Credential

  package init(user: UserID?, scope: Scope, reason: CloseReason.Credential) {
    self.user = user
    self.scope = scope
    self.reason = reason
  }

  /// Reads the columns of a row; nil where they say nothing that this program knows.
  ///
  /// - Parameters:
  ///   - user: empty where it is not known.
  ///   - credential: a hash, where the kind needs one.
  package init?(user: String, kind: String, credential: String?, reason: String) {
    guard let reason = CloseReason.Credential(rawValue: reason) else { return nil }
    switch (kind, credential) {
    case ("user", nil): scope = .user
    case ("sessions", nil): scope = .sessions
    case ("session", let hash?): scope = .session(hash)
    case ("token", let hash?): scope = .token(hash)
    default: return nil
    }
    self.user = UserID(user)
    self.reason = reason
  }
}
