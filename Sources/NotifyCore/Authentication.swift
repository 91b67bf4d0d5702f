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

  /// The text of a credential other than a cookie.
  package var text: Secret? {
    switch self {
    case .bearer(let secret), .token(let secret), .subprotocol(let secret), .any(let secret): secret
    case .cookie: nil
    }
  }
}

/// The user of a verified credential, and the end of its access.
package struct Identity: Sendable, Equatable {
  /// The session or token that opened the socket, which can be revoked by itself.
  package enum Login: Sendable, Equatable {
    /// A session, by the SHA-256 of its key in hex; nil where it is kept in a cookie.
    case session(String?)
    /// A token, by the SHA-256 of its key in hex.
    case token(String)
    /// A ticket, which was for one connect: it can't be verified again.
    case ticket
    /// Anything else.
    case other
  }

  package var user: UserID
  /// Seconds since 1970 UTC at which access ends; nil where the credential does not expire.
  package let expires: Double?
  package let login: Login
  /// Asked again when it expires, since it may have been prolonged meanwhile; nil where that can't be.
  package let renewal: Credential?
  /// The snapshot under which the database found the credential good; nil where it was not looked up there.
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
  /// `reason` goes to the client; `detail` goes to the operator's log, and holds nothing of the credential.
  case rejected(CloseReason.CredentialFault, detail: String)
  /// It can't be looked up just now: never a refusal.
  case unavailable(detail: String)
}

/// Turns credentials into users.
package protocol Authenticator: Sendable {
  /// Verifies a credential. Never throws: a failure is a verdict.
  func verify(_ credential: Credential) async -> Verdict
}
