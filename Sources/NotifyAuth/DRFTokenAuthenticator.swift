package import NotifyCore

/// Verifies keys of Django REST framework's `authtoken_token`.
package struct DRFTokenAuthenticator: Authenticator {
  private let lookup: any CredentialLookup

  package init(lookup: any CredentialLookup) { self.lookup = lookup }

  package func verify(_ credential: Credential) async -> Verdict {
    guard let key = credential.text, CredentialShape(of: key.exposed) == .key else {
      return .rejected(.invalid, detail: "the credential is not a Django REST framework key: forty hexadecimal digits")
    }
    switch await lookup.lookUp(.token(key: key)) {
    case .unavailable(let detail):
      return .unavailable(detail: detail)
    case .unknown:
      return .rejected(.invalid, detail: "there is no such token key: it was deleted, or never made")
    case .found(let record):
      guard record.isActive else { return .rejected(.inactive, detail: "the token's user is not active") }
      guard let user = record.user else {
        return .rejected(.invalid, detail: "the token's user has an id that is none")
      }
      return .accepted(
        Identity(user: user, expires: nil, login: .token(Hexadecimal.sha256(key.exposed)), seen: record.seen))
    }
  }
}
