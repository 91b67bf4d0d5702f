package import NotifyCore

/// Checks the table of users behind a method that verifies without the database: a deactivated or deleted user is refused.
/// Used where logins are attached.
package struct ActiveUserAuthenticator: Authenticator {
  private let method: any Authenticator
  private let lookup: any CredentialLookup

  package init(_ method: any Authenticator, lookup: any CredentialLookup) {
    self.method = method
    self.lookup = lookup
  }

  package func verify(_ credential: Credential) async -> Verdict {
    let verdict = await method.verify(credential)
    guard case .accepted(var identity) = verdict else { return verdict }
    switch await lookup.lookUp(.active(identity.user)) {
    case .unavailable(let detail):
      return .unavailable(detail: detail)
    case .unknown:
      return .rejected(.revoked, detail: "the user does not exist")
    case .found(let record):
      guard record.isActive else { return .rejected(.inactive, detail: "the user is not active") }
      identity.seen = identity.seen ?? record.seen
      return .accepted(identity)
    }
  }
}
