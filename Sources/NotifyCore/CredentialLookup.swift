/// Looks credentials up in the database. No answer is kept: a credential that a committed transaction has ended is unknown
/// at once.
package protocol CredentialLookup: Sendable {
  /// Answers a question; pending ones share a statement. Never throws: a failure is an answer.
  func lookUp(_ question: CredentialQuestion) async -> CredentialAnswer
}

/// A question about a credential or a user.
package enum CredentialQuestion: Sendable, Equatable {
  /// A row of `django_session`: its data is the record's secret.
  case session(key: Secret)
  /// A row of `authtoken_token`: its user.
  case token(key: Secret)
  /// A user: the password, as it is stored, is the record's secret.
  case account(UserID)
  /// Whether a user is active. Where no logins are attached, every user is.
  case active(UserID)
  /// A ticket, by its SHA-256 in hex, which is used up: its user.
  case ticket(hash: String)
  /// A new ticket for a user, which is the record's secret.
  case issue(UserID)
}

/// The database's answer.
package enum CredentialAnswer: Sendable, Equatable {
  case found(CredentialRecord)
  /// There is no such row.
  case unknown
  /// The database can't answer now, or not at all; the reason is for the log and has no secret.
  case unavailable(String)
}

/// A credential or a user, as the database has it.
package struct CredentialRecord: Sendable, Equatable {
  /// The user; nil for a session, whose data names it.
  package let user: UserID?
  /// See the question; nil where it is too long to be read.
  package let secret: Secret?
  /// Whether the user is active.
  package let isActive: Bool
  /// Whether it has expired by the database's clock.
  package let isExpired: Bool
  /// When it expires, in seconds since 1970 UTC; nil where it does not.
  package let expires: Double?
  /// The answer holds everything that this snapshot sees.
  package let seen: Snapshot

  package init(user: UserID?, secret: Secret?, isActive: Bool, isExpired: Bool, expires: Double?, seen: Snapshot) {
    self.user = user
    self.secret = secret
    self.isActive = isActive
    self.isExpired = isExpired
    self.expires = expires
    self.seen = seen
  }
}
