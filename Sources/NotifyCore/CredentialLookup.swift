/// Asks the database about credentials. No answer is kept: what a committed transaction has ended is unknown at once.
package protocol CredentialLookup: Sendable {
  /// Answers a question; all that wait are answered by one statement. Never throws: what goes wrong is an answer.
  func lookUp(_ question: CredentialQuestion) async -> CredentialAnswer
}

/// What can be asked.
package enum CredentialQuestion: Sendable, Equatable {
  /// A row of `django_session`: its data is the record's secret.
  case session(key: Secret)
  /// A row of `authtoken_token`: its user.
  case token(key: Secret)
  /// A user: the password, as it is stored, is the record's secret.
  case account(UserID)
  /// Whether a user may still come. Where no logins are attached there is nobody to ask, and everybody may.
  case active(UserID)
  /// A ticket, by its SHA-256 in hex, which is used up: its user.
  case ticket(hash: String)
  /// A new ticket for a user, which is the record's secret.
  case issue(UserID)
}

/// What the database said.
package enum CredentialAnswer: Sendable, Equatable {
  case found(CredentialRecord)
  /// There is no such row.
  case unknown
  /// It can't be asked just now, or not at all; for the log, without secrets.
  case unavailable(String)
}

/// What is known of a credential or a user.
package struct CredentialRecord: Sendable, Equatable {
  /// Whose it is; nil for a session, whose data says it.
  package let user: UserID?
  /// See the question; nil where it is too long to be read.
  package let secret: Secret?
  /// Whether the user may come.
  package let isActive: Bool
  /// Whether it was too late by the database's clock.
  package let isExpired: Bool
  /// Seconds since 1970 UTC at which it ends; nil where it does not.
  package let expires: Double?
  /// All that this snapshot sees had happened when the answer was read.
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
