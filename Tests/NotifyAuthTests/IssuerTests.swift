import NotifyCore
import TestSupport
import Testing

@testable import NotifyAuth

@Suite("Tokens that the bridge makes are accepted under the same settings")
struct IssuerTests {
  static func settings(_ change: (inout JWTSettings) -> Void = { _ in }) -> JWTSettings {
    var settings = JWTSettings()
    settings.secret = Secret(Fixtures.secret)
    change(&settings)
    return settings
  }

  @Test("A token is for the requested user", arguments: ["42", "-1", "007", "ada", "a\"b\\c", "ä😀"])
  func users(text: String) async throws {
    let user = try #require(UserID(text))
    for settings in [
      Self.settings(), Self.settings { $0.userClaim = "uid" }, Self.settings { $0.userClaim = "sub" },
      Self.settings {
        $0.audience = ["a", "b"]
        $0.issuer = "https://id.example"
      },
    ] {
      let token = try TokenIssuer(settings).token(for: user, seconds: 3_600, now: Tokens.now + 0.9)
      let authenticator = try await JWTAuthenticator(settings, logger: .silent, clock: { Tokens.now })
      let verdict = await authenticator.verify(.any(token))
      #expect(verdict == .accepted(Identity(user: user, expires: Tokens.now + 3_600)))
    }
  }

  @Test("A token has the claims of SimpleJWT's tokens")
  func claims() throws {
    let token = try TokenIssuer(Self.settings()).token(for: UserID(42), seconds: 60, now: Tokens.now, id: "x")
    let parsed = try SignedToken(token.exposed)
    #expect(
      String(decoding: parsed.payload, as: UTF8.self)
        == #"{"token_type":"access","user_id":42,"sub":"42","iat":1767225600,"exp":1767225660,"jti":"x"}"#)
  }

  @Test("Each token has a distinct id")
  func ids() throws {
    let issuer = try TokenIssuer(Self.settings())
    let tokens = (0..<10).map { _ in issuer.token(for: UserID(42), seconds: 60, now: Tokens.now).exposed }
    #expect(Set(tokens).count == 10)
  }

  @Test("Without a secret no token is made")
  func noSecret() {
    #expect(throws: AuthConfigurationError.self) { try TokenIssuer(JWTSettings()) }
  }
}
