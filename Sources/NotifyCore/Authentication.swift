/// A credential as it came with a connect or in an `authenticate` message.
package enum Credential: Sendable, Equatable {
  /// `Authorization: Bearer …`.
  case bearer(Secret)
  /// `Authorization: Token …`.
  case token(Secret)
  /// `Sec-WebSocket-Protocol: notify-bridge.v1, bearer.…`.
  case subprotocol(Secret)
  /// `?token=…` or an `authenticate` message: a JWT, a ticket or a key, told apart by its shape.
  case any(Secret)
  /// The request's `Cookie` header, whole.
  case cookie(Secret)

  /// The text of what is no cookie.
  package var text: Secret? {
    switch self {
    case .bearer(let secret), .token(let secret), .subprotocol(let secret), .any(let secret): secret
    case .cookie: nil
    }
  }
}

/// Who a verified credential belongs to.
package struct Identity: Sendable, Equatable {
  /// What opened the door, as far as it can be revoked by itself.
  package enum Login: Sendable, Equatable {
    /// A session, by the SHA-256 of its key in hex; nil where it is kept in a cookie.
    case session(String?)
    /// A token, by the SHA-256 of its key in hex.
    case token(String)
    /// Anything else.
    case other
  }

  package let user: UserID
  /// Seconds since 1970 UTC at which access ends; nil where the credential does not expire.
  package let expires: Double?
  package let login: Login
  /// Asked again when it expires, since it may have been prolonged meanwhile; nil where that can't be.
  package let renewal: Credential?
  /// What had happened in the database when the credential was found good there; nil where that isn't known.
  package var seen: Snapshot?

  package init(
    user: UserID, expires: Double?, login: Login = .other, renewal: Credential? = nil, seen: Snapshot? = nil
  ) {
    self.user = user
    self.expires = expires
    self.login = login
    self.renewal = renewal
    self.seen = seen
  }
}

/// The answer to a credential.
package enum Verdict: Sendable, Equatable {
  case accepted(Identity)
  /// The stranger is told `reason`; `detail` is for the operator's log, and holds nothing of the credential.
  case rejected(CloseReason.Credential, detail: String)
  /// It can't be looked up just now: never a refusal.
  case unavailable(detail: String)
}

/// Turns credentials into users.
package protocol Authenticator: Sendable {
  /// Verifies a credential. Never throws: what goes wrong is a verdict.
  func verify(_ credential: Credential) async -> Verdict
}
