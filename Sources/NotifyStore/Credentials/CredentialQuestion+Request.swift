internal import NotifyCore

/// The parts of a request to the database.
extension CredentialQuestion {
  /// Its name in `notify_bridge.lookup_credentials`.
  var kind: String {
    switch self {
    case .session: "session"
    case .token: "token"
    case .account: "user"
    case .active: "active"
    case .ticket: "ticket"
    case .issue: "issue"
    }
  }

  /// Whether the question is only whether a user is active.
  var isAboutActivity: Bool {
    if case .active = self { true } else { false }
  }

  /// The credential or user to look up.
  var value: String {
    switch self {
    case .session(let secret), .token(let secret): secret.exposed
    case .account(let user), .active(let user), .issue(let user): user.text
    case .ticket(let hash): hash
    }
  }
}
