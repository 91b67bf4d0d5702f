/// Revocations that came together, found by whom they concern: one look for each socket, however many they are.
package struct RevocationIndex: Sendable {
  private struct Key: Hashable {
    let scope: Revocation.Scope
    let user: UserID?
  }

  private var byKey: [Key: [Revocation]] = [:]
  /// How many there are.
  package let count: Int

  package init(_ revocations: [Revocation]) {
    count = revocations.count
    for revocation in revocations {
      let user =
        switch revocation.scope {
        case .user, .sessions, .tokens: revocation.user
        // The hash says it all.
        case .session, .token: nil as UserID?
        }
      byKey[Key(scope: revocation.scope, user: user), default: []].append(revocation)
    }
  }

  /// Why this access has ended; nil where it goes on.
  ///
  /// A revocation that the look-up of the credential could see does not count: the credential was found good after it.
  package func reason(for identity: Identity) -> CloseReason.CredentialFault? {
    func find(_ scope: Revocation.Scope, _ user: UserID?) -> CloseReason.CredentialFault? {
      byKey[Key(scope: scope, user: user)]?.first { !(identity.seen?.sees($0.txid) ?? false) }?.reason
    }
    if let reason = find(.user, identity.user) ?? find(.user, nil) { return reason }
    switch identity.login {
    case .session(let hash):
      return find(.sessions, identity.user) ?? find(.sessions, nil) ?? hash.flatMap { find(.session($0), nil) }
    case .token(let hash):
      return find(.tokens, identity.user) ?? find(.tokens, nil) ?? find(.token(hash), nil)
    case .ticket, .other:
      return nil
    }
  }
}
