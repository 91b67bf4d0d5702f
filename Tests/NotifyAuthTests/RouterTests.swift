import NotifyCore
import Testing

@testable import NotifyAuth

@Suite("Each credential goes to the one method for it")
struct RouterTests {
  /// Accepts everything, as a user named after the method.
  struct Named: Authenticator {
    let name: String
    func verify(_ credential: Credential) async -> Verdict {
      guard let user = UserID(name) else { return .unavailable(detail: "") }
      return .accepted(Identity(user: user, expires: nil))
    }
  }

  static let jwt = Tokens.hmac(Tokens.claims())
  static let key = "0123456789abcdef0123456789abcdef01234567"
  static let ticket = "nbt_" + Base64URL.encode([UInt8](repeating: 7, count: 32))
  static let all = CredentialRouter(
    jwt: Named(name: "jwt"), ticket: Named(name: "ticket"), token: Named(name: "token"), session: Named(name: "session")
  )

  @Test("Shapes exclude each other")
  func shapes() {
    #expect(CredentialShape(of: Self.jwt) == .jwt)
    #expect(CredentialShape(of: "a.b.") == .jwt)
    #expect(CredentialShape(of: Self.key) == .key)
    #expect(CredentialShape(of: Self.ticket) == .ticket)
    for text in ["", ".", "..", "a..b", ".a.b", "a.b", "a.b.c.d", "a.b.c=", "a.b.ü", "nbt_", "nbt_a.b.c", "nbt_=", "x"]
    {
      #expect(CredentialShape(of: text) == nil, "\(text)")
    }
    #expect(CredentialShape(of: Self.key.uppercased()) == nil)
    #expect(CredentialShape(of: Self.key + "0") == nil)
  }

  @Test("A credential is routed by its transport, and by its shape where several methods share a transport")
  func dispatch() async {
    let router = Self.all
    for wrap in [Credential.bearer, Credential.subprotocol, Credential.any] as [@Sendable (Secret) -> Credential] {
      #expect(await router.verify(wrap(Secret(Self.jwt))).user == "jwt")
      #expect(await router.verify(wrap(Secret(Self.key))).user == "token")
      #expect(await router.verify(wrap(Secret(Self.ticket))).user == "ticket")
      #expect(await router.verify(wrap(Secret("what?"))).reason == .invalid)
      #expect(await router.verify(wrap(Secret(""))).reason == .missing)
      #expect(await router.verify(wrap(Secret(String(repeating: "a", count: 16_385)))).reason == .invalid)
    }
    #expect(await router.verify(.token(Secret(Self.key))).user == "token")
    #expect(await router.verify(.token(Secret(Self.jwt))).user == "token")
    #expect(await router.verify(.cookie(Secret("a=b"))).user == "session")
  }

  @Test("A method that is off refuses, and its detail names the setting that enables it")
  func off() async {
    let router = CredentialRouter()
    #expect(router.isEmpty)
    #expect(!Self.all.isEmpty)
    for (credential, reason, setting) in [
      (Credential.any(Secret(Self.jwt)), CloseReason.CredentialFault.invalid, "NOTIFY_BRIDGE_AUTH_JWT_SECRET"),
      (.any(Secret(Self.key)), .invalid, "NOTIFY_BRIDGE_AUTH_DRF_TOKENS"),
      (.token(Secret(Self.key)), .invalid, "NOTIFY_BRIDGE_AUTH_DRF_TOKENS"),
      (.bearer(Secret(Self.ticket)), .invalid, "NOTIFY_BRIDGE_AUTH_SERVICE_KEY"),
      (.cookie(Secret("sessionid=abc")), .missing, "NOTIFY_BRIDGE_AUTH_DJANGO_SECRET_KEY"),
    ] {
      let verdict = await router.verify(credential)
      #expect(verdict.reason == reason)
      #expect(verdict.detail?.contains(setting) == true)
    }
  }

  @Test("A JWT authenticator by itself takes no cookie and no token key")
  func jwtAlone() async throws {
    let authenticator = try await JWTAuthenticator.test { $0.secret = Secret(Fixtures.secret) }
    #expect(await authenticator.verify(.bearer(Secret(Self.jwt))).user == "42")
    #expect(await authenticator.verify(.subprotocol(Secret(Self.jwt))).user == "42")
    #expect(await authenticator.verify(.token(Secret(Self.jwt))).reason == .invalid)
    #expect(await authenticator.verify(.cookie(Secret(Self.jwt))).reason == .invalid)
  }
}
