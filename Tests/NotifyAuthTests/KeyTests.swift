import NotifyCore
import TestSupport
import Testing

@testable import NotifyAuth

@Suite("A token signed with a configured key is the user it names")
struct KeyTests {
  static let publicAlgorithms = Fixtures.tokens.keys.filter { !$0.hasPrefix("HS") }.sorted()
  static let publicKeys = [
    Fixtures.rsaPublic, Fixtures.p256Public, Fixtures.p384Public, Fixtures.p521Public, Fixtures.ed25519Public,
  ]

  @Test("PyJWT's tokens are accepted by the secret", arguments: ["HS256", "HS384", "HS512"])
  func secret(algorithm: String) async throws {
    let token = try #require(Fixtures.tokens[algorithm])
    let verdict = try await JWTAuthenticator.test { $0.secret = Secret(Fixtures.secret) }.verify(token)
    #expect(verdict == .accepted(Identity(user: UserID(42), expires: 4_102_444_800)))
  }

  @Test("PyJWT's tokens are accepted by public keys in one PEM text", arguments: publicAlgorithms)
  func pem(algorithm: String) async throws {
    let token = try #require(Fixtures.tokens[algorithm])
    let all = Self.publicKeys.joined(separator: "\n")
    #expect(try await JWTAuthenticator.test { $0.publicKeyPEM = [all] }.verify(token).user == "42")
  }

  @Test("PyJWT's tokens are accepted by a JWKS file that PyJWT made", arguments: publicAlgorithms)
  func jwks(algorithm: String) async throws {
    let token = try #require(Fixtures.tokens[algorithm])
    let verdict = try await TemporaryFile.with(Fixtures.jwks) { path in
      try await JWTAuthenticator.test { $0.jwksFile = path }.verify(token)
    }
    #expect(verdict.user == "42")
  }

  @Test(
    "PKCS #1 and certificates are public keys too",
    arguments: [
      (Fixtures.rsaPKCS1, "RS256"), (Fixtures.rsaCertificate, "PS384"), (Fixtures.p256Certificate, "ES256"),
    ])
  func otherPEM(pem: String, algorithm: String) async throws {
    let token = try #require(Fixtures.tokens[algorithm])
    #expect(try await JWTAuthenticator.test { $0.publicKeyPEM = [pem] }.verify(token).user == "42")
  }

  @Test("SimpleJWT's access tokens are accepted, with a number or a string for the user; its refresh token isn't")
  func simpleJWT() async throws {
    let authenticator = try await JWTAuthenticator.test { $0.secret = Secret(Fixtures.secret) }
    #expect(await authenticator.verify(Fixtures.simpleAccess).user == "42")
    #expect(await authenticator.verify(Fixtures.simpleAccessText).user == "42")
    let refused = await authenticator.verify(Fixtures.simpleRefresh)
    #expect(refused == .rejected(.invalid, detail: "the token's token_type is not access"))
  }

  @Test("A secret, PEMs and a JWKS may be configured together")
  func together() async throws {
    try await TemporaryFile.with(Fixtures.jwks) { path in
      let authenticator = try await JWTAuthenticator.test {
        $0.secret = Secret(Fixtures.secret)
        $0.publicKeyPEM = [Fixtures.p256Public]
        $0.jwksFile = path
      }
      for token in Fixtures.tokens.values { #expect(await authenticator.verify(token).user == "42") }
    }
  }

  @Test("A token without kid is tried with every key of its algorithm, one with a kid only with that key")
  func withoutKeyID() async throws {
    let other = SigningKey.p256()
    let mine = SigningKey.p256()
    let set = Tokens.keySet([("other", other), ("mine", mine)])
    try await TemporaryFile.with(set) { path in
      let authenticator = try await JWTAuthenticator.test { $0.jwksFile = path }
      func verdict(_ header: String) async -> Verdict {
        await authenticator.verify(Tokens.signed(Tokens.claims(), header: header, by: mine))
      }
      #expect(await verdict(#"{"alg":"ES256"}"#).user == "42")
      #expect(await verdict(#"{"alg":"ES256","kid":"mine"}"#).user == "42")
      #expect(await verdict(#"{"alg":"ES256","kid":"other"}"#).reason == .invalid)
      #expect(await verdict(#"{"alg":"ES256","kid":"nobody's"}"#).reason == .invalid)
    }
  }
}
