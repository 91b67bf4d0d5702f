import Foundation
package import NotifyCore

/// Verifies Django's session cookies: sessions in the database, and sessions kept whole in a signed cookie.
///
/// The session names the user. The database decides whether its `_auth_user_hash` still fits the password, and whether
/// the user is active. Only JSON sessions are read: unpickling would run a stranger's code.
package struct DjangoSessionAuthenticator: Authenticator {
  /// Why a session is refused.
  private struct Refusal: Error {
    let reason: CloseReason.CredentialFault
    let detail: String

    init(_ reason: CloseReason.CredentialFault, _ detail: String) {
      self.reason = reason
      self.detail = detail
    }
  }

  /// A session whose signature is right.
  private struct Session {
    let user: UserID
    let authHash: String
    let expires: Double?
    let login: Identity.Login
    /// Django may prolong a row at every request; a cookie is never prolonged but by another one.
    let renewal: Credential?
    /// The snapshot of the session's look-up; nil for a cookie session.
    let seen: Snapshot?
  }

  private static let rowSalt = "django.contrib.sessions.SessionStore"
  private static let cookieSalt = "django.contrib.sessions.backends.signed_cookies"

  private let settings: DjangoSettings
  private let signer: DjangoSigner
  private let lookup: any CredentialLookup
  private let clock: @Sendable () -> Double

  /// - Parameters:
  ///   - settings: with a secret key.
  ///   - clock: seconds since 1970 UTC.
  /// - Throws: an error for the first setting that can't be used.
  package init(
    _ settings: DjangoSettings, lookup: any CredentialLookup,
    clock: @escaping @Sendable () -> Double = { Date.now.timeIntervalSince1970 }
  ) throws(AuthConfigurationError) {
    try settings.validate()
    guard let key = settings.secretKey, !key.exposed.isEmpty else {
      throw AuthConfigurationError(
        .djangoSecretKey, "is empty", remedy: "Set it to Django's SECRET_KEY, or leave it out.")
    }
    self.settings = settings
    self.signer = DjangoSigner(keys: [key] + settings.fallbacks)
    self.lookup = lookup
    self.clock = clock
  }

  package func verify(_ credential: Credential) async -> Verdict {
    guard case .cookie(let header) = credential else {
      return .rejected(.invalid, detail: "a session comes as a cookie")
    }
    guard let value = CookieHeader.value(of: settings.sessionCookie, in: header.exposed), !value.isEmpty else {
      return .rejected(.missing, detail: "there is no cookie \(settings.sessionCookie)")
    }
    do {
      let session: Session
      if value.contains(":") {
        session = try cookieSession(value)
      } else {
        guard Self.isKey(value) else { throw Refusal(.invalid, "the cookie is not a session key") }
        switch await lookup.lookUp(.session(key: Secret(value))) {
        case .unavailable(let detail): return .unavailable(detail: detail)
        case .unknown:
          throw Refusal(.invalid, "there is no such session: it was ended, or it is not kept in the database")
        case .found(let record): session = try rowSession(record, key: value)
        }
      }
      return try await admit(session)
    } catch let refusal as Refusal {
      return .rejected(refusal.reason, detail: refusal.detail)
    } catch {
      return .rejected(.invalid, detail: "the session can't be read")
    }
  }

  /// Django makes 32 characters, and takes 8 or more; the column holds 40.
  private static func isKey(_ text: String) -> Bool {
    (8...40).contains(text.utf8.count) && text.utf8.allSatisfy { Base64URL.isDigit($0) }
  }

  // MARK: Kinds of sessions

  private func rowSession(_ record: CredentialRecord, key: String) throws(Refusal) -> Session {
    guard !record.isExpired else { throw Refusal(.expired, "the session has expired") }
    guard let data = record.secret else {
      throw Refusal(.invalid, "the session is larger than \(Limits.sessionBytes) bytes")
    }
    let signed = try read(data.exposed, salt: Self.rowSalt)
    return try session(
      signed.value, expires: record.expires, login: .session(Hexadecimal.sha256(key)),
      renewal: .cookie(Secret("\(settings.sessionCookie)=\(key)")), seen: record.seen)
  }

  private func cookieSession(_ value: String) throws(Refusal) -> Session {
    let signed = try read(value, salt: Self.cookieSalt)
    let expires = signed.time + Double(settings.sessionAgeSeconds)
    guard clock() < expires else { throw Refusal(.expired, "the session has expired") }
    return try session(signed.value, expires: expires, login: .session(nil), renewal: nil, seen: nil)
  }

  private func read(_ text: String, salt: String) throws(Refusal) -> DjangoSigner.Signed {
    do throws(DjangoSigner.SignatureError) {
      return try signer.loads(text, salt: salt)
    } catch {
      switch error {
      case .malformed:
        throw Refusal(.invalid, "the session is not in Django's form, or larger than \(Limits.sessionBytes) bytes")
      case .forged:
        throw Refusal(
          .invalid,
          "the session was signed with another key than \(AuthSetting.djangoSecretKey.rawValue), or was changed")
      }
    }
  }

  private func session(
    _ json: [UInt8], expires: Double?, login kind: Identity.Login, renewal: Credential?, seen: Snapshot?
  ) throws(Refusal) -> Session {
    let login = try JSONValue.read(json, Self.readLogin).get()
    return Session(
      user: login.user, authHash: login.hash, expires: expires, login: kind, renewal: renewal, seen: seen)
  }

  private static func readLogin(_ session: JSONValue?) -> Result<(user: UserID, hash: String), Refusal> {
    guard let session, session.isObject else {
      return .failure(
        Refusal(.invalid, "the session is not JSON: the bridge reads those of Django's JSONSerializer only"))
    }
    guard let value = session["_auth_user_id"] else {
      return .failure(Refusal(.missing, "the session is of a visitor who has not logged in"))
    }
    guard let user = value.string.flatMap({ UserID($0) }), let hash = session["_auth_user_hash"]?.string else {
      return .failure(Refusal(.invalid, "the session lacks _auth_user_id or _auth_user_hash"))
    }
    return .success((user, hash))
  }

  // MARK: Its user

  private func admit(_ session: Session) async throws(Refusal) -> Verdict {
    switch await lookup.lookUp(.account(session.user)) {
    case .unavailable(let detail):
      return .unavailable(detail: detail)
    case .unknown:
      throw Refusal(.revoked, "the session's user does not exist")
    case .found(let account):
      guard let user = account.user, let password = account.secret,
        signer.matches(authHash: session.authHash, password: password)
      else { throw Refusal(.revoked, "the password was changed after the session began") }
      guard account.isActive else { throw Refusal(.inactive, "the user is not active") }
      return .accepted(
        Identity(
          user: user, expires: session.expires, login: session.login, renewal: session.renewal,
          seen: session.seen ?? account.seen))
    }
  }
}
