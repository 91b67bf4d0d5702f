package import NotifyCore

/// Verifies one-time tickets, and uses them up.
package struct TicketAuthenticator: Authenticator {
  private let lookup: any CredentialLookup

  package init(lookup: any CredentialLookup) { self.lookup = lookup }

  package func verify(_ credential: Credential) async -> Verdict {
    guard let ticket = credential.text, CredentialShape(of: ticket.exposed) == .ticket else {
      return .rejected(.invalid, detail: "the credential is not a ticket")
    }
    switch await lookup.lookUp(.ticket(hash: Hexadecimal.sha256(ticket.exposed))) {
    case .unavailable(let detail):
      return .unavailable(detail: detail)
    case .unknown:
      return .rejected(.invalid, detail: "the ticket is unknown or was used")
    case .found(let record):
      guard !record.isExpired else { return .rejected(.expired, detail: "the ticket has expired") }
      guard let user = record.user else { return .rejected(.invalid, detail: "the ticket is for nobody") }
      return .accepted(Identity(user: user, expires: nil, login: .ticket, seen: record.seen))
    }
  }
}
