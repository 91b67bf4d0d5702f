/// Access that has ended, as a row of `notify_bridge.revocation` says it.
package struct Revocation: Hashable, Sendable {
  /// Which sockets are closed.
  package enum Scope: Hashable, Sendable {
    /// All of the user's.
    case user
    /// Those of them that were opened with a session.
    case sessions
    /// Those of them that were opened with a token.
    case tokens
    /// Those that were opened with the session of this SHA-256 (hex).
    case session(String)
    /// Those that were opened with the token of this SHA-256 (hex).
    case token(String)
  }

  /// Whose; nil for everybody's, and where the credential tells.
  package let user: UserID?
  package let scope: Scope
  /// The reason that the client gets.
  package let reason: CloseReason.CredentialFault
  /// The transaction that ended it.
  package let txid: UInt64

  package init(user: UserID?, scope: Scope, reason: CloseReason.CredentialFault, txid: UInt64) {
    self.user = user
    self.scope = scope
    self.reason = reason
    self.txid = txid
  }

  /// The same with the user as these tables have it.
  package func canonical(among tables: TableCatalog) -> Revocation {
    Revocation(user: user?.canonical(among: tables), scope: scope, reason: reason, txid: txid)
  }

  /// Reads the columns of a row; nil where they say nothing that this program knows.
  ///
  /// - Parameters:
  ///   - user: empty for everybody, and where the credential tells.
  ///   - credential: a hash, where the kind needs one.
  package init?(user: String, kind: String, credential: String?, reason: String, txid: UInt64) {
    guard let reason = CloseReason.CredentialFault(rawValue: reason), user.isEmpty || UserID(user) != nil else {
      return nil
    }
    switch (kind, credential) {
    case ("user", nil): scope = .user
    case ("sessions", nil): scope = .sessions
    case ("tokens", nil): scope = .tokens
    case ("session", let hash?): scope = .session(hash)
    case ("token", let hash?): scope = .token(hash)
    default: return nil
    }
    self.user = UserID(user)
    self.reason = reason
    self.txid = txid
  }
}
