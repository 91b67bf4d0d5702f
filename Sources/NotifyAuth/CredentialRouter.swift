package import NotifyCore

/// Passes each credential to the login method of its shape.
///
/// Each method conforms to `Authenticator`; nil stands for a disabled one. A credential of a disabled method is refused,
/// and the detail for the log names the setting that enables the method.
package struct CredentialRouter: Authenticator {
  /// JSON Web Tokens.
  package var jwt: (any Authenticator)?
  /// One-time tickets, issued by SQL or with the service key. The bridge always enables them.
  package var ticket: (any Authenticator)?
  /// Keys of Django REST framework.
  package var token: (any Authenticator)?
  /// Sessions of Django.
  package var session: (any Authenticator)?

  package init(
    jwt: (any Authenticator)? = nil, ticket: (any Authenticator)? = nil, token: (any Authenticator)? = nil,
    session: (any Authenticator)? = nil
  ) {
    self.jwt = jwt
    self.ticket = ticket
    self.token = token
    self.session = session
  }

  /// Whether every login method is disabled: then nobody can connect.
  package var isEmpty: Bool { jwt == nil && ticket == nil && token == nil && session == nil }

  package func verify(_ credential: Credential) async -> Verdict {
    switch credential {
    case .cookie:
      guard let session else {
        // A browser sends all its cookies: that is no attempt to log in with one.
        return .rejected(
          .missing,
          detail: "only cookies came, and sessions are off: \(AuthSetting.djangoSecretKey.rawValue) enables them")
      }
      return await session.verify(credential)
    case .token(let secret):
      guard secret.exposed.utf8.count <= Limits.credentialBytes else { return Self.tooLong }
      return await ask(token, credential, or: .key)
    case .bearer(let secret), .subprotocol(let secret), .any(let secret):
      guard secret.exposed.utf8.count <= Limits.credentialBytes else { return Self.tooLong }
      guard !secret.exposed.isEmpty else { return .rejected(.missing, detail: "the credential is empty") }
      switch CredentialShape(of: secret.exposed) {
      case .jwt: return await ask(jwt, credential, or: .jwt)
      case .ticket: return await ask(ticket, credential, or: .ticket)
      case .key: return await ask(token, credential, or: .key)
      case nil: return .rejected(.invalid, detail: "the credential is neither a JWT nor a ticket nor a token key")
      }
    }
  }

  private static let tooLong = Verdict.rejected(
    .invalid, detail: "the credential is longer than \(Limits.credentialBytes) bytes")

  private func ask(
    _ method: (any Authenticator)?, _ credential: Credential, or shape: CredentialShape
  ) async -> Verdict {
    if let method { return await method.verify(credential) }
    switch shape {
    case .jwt:
      return .rejected(.invalid, detail: "a JWT came, and JWTs are off: \(JWTSettings.keySettings) enables them")
    case .ticket:
      return .rejected(
        .invalid, detail: "a ticket came, and tickets are off: \(AuthSetting.serviceKey.rawValue) enables them")
    case .key:
      return .rejected(
        .invalid,
        detail: "a token key came, and token keys are off: \(AuthSetting.drfTokens.rawValue)=true enables them")
    }
  }
}
