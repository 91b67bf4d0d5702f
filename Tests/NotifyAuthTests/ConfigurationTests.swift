import Foundation
import NotifyCore
import TestSupport
import Testing

@testable import NotifyAuth

@Suite("A setting that can't be used is an error at start, in two lines")
struct ConfigurationTests {
  static func error(_ change: (inout JWTSettings) -> Void) async throws -> AuthConfigurationError? {
    do {
      _ = try await JWTAuthenticator.test(change)
      return nil
    } catch let error as AuthConfigurationError {
      #expect(error.description.split(separator: "\n").count == 2)
      #expect(error.description.hasPrefix("NOTIFY_BRIDGE_AUTH_JWT_"))
      return error
    }
  }

  @Test("An empty secret and a PEM for a secret are errors")
  func secret() async throws {
    #expect(try await Self.error { $0.secret = Secret("") }?.setting == .jwtSecret)
    let pem = try await Self.error { $0.secret = Secret(Fixtures.rsaPublic) }
    #expect(pem?.setting == .jwtSecret)
    #expect(pem?.remedy.contains("PUBLIC_KEY_FILE") == true)
  }

  @Test(
    "A PEM without a usable public key is an error",
    arguments: [
      ("", "no PEM"), ("hello", "no PEM"), (Fixtures.rsaPrivate, "private key"), (Fixtures.p256Private, "private key"),
      (Fixtures.weakPublic, "fewer than 2048 bits"),
      (Fixtures.rsaPublic + "\n" + Fixtures.weakPublic, "fewer than 2048 bits"),
      ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "damaged"),
      ("-----BEGIN PUBLIC KEY-----\n!!!\n-----END PUBLIC KEY-----", "not base64"),
      ("-----BEGIN PUBLIC KEY-----\nAAAA", "no end"),
      ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "damaged"),
      ("-----BEGIN DH PARAMETERS-----\nAAAA\n-----END DH PARAMETERS-----", "another kind"),
      (Fixtures.p256Public.replacing("MFkw", with: "MFkx"), "damaged"),
    ])
  func pem(text: String, problem: String) async throws {
    let error = try await Self.error { $0.publicKeyPEM = [text] }
    #expect(error?.setting == .jwtPublicKeyFile)
    #expect(error?.problem.contains(problem) == true, "\(error?.problem ?? "accepted")")
  }

  @Test("PEMs may have other text between them, and the line ends of Windows")
  func pemText() async throws {
    let rsa = Fixtures.rsaPublic.replacing("\n", with: "\r\n")
    let text = "# our keys\r\n" + rsa + "\r\n\r\n" + Fixtures.p256Public + "\n"
    #expect(try await Self.error { $0.publicKeyPEM = [text] } == nil)
  }

  @Test(
    "A JWKS file without a usable key is an error",
    arguments: [
      ("", "not a JWKS"), ("[]", "not a JWKS"), ("{}", "not a JWKS"), (#"{"keys":{}}"#, "not a JWKS"),
      (#"{"keys":[]}"#, "no key"), (#"{"keys":[7,{},{"kty":7}]}"#, "no key"), (Fixtures.weakJWKS, "2048"),
      (#"{"keys":[{"kty":"oct","k":"c2VjcmV0"}]}"#, "no key"),
      (#"{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}"#, "no key"),
      (#"{"keys":[{"kty":"RSA","n":"","e":"AQAB"}]}"#, "2048"),
      (String(repeating: " ", count: 257 << 10), "larger"),
    ])
  func jwks(text: String, problem: String) async throws {
    let error = try await TemporaryFile.with(text) { path in try await Self.error { $0.jwksFile = path } }
    #expect(error?.setting == .jwksFile)
    #expect(error?.problem.contains(problem) == true, "\(error?.problem ?? "accepted")")
  }

  @Test("A weak key among good ones is an error in a file")
  func weakAmongGood() async throws {
    let weak = Fixtures.weakJWKS.dropFirst(#"{"keys": ["#.count).dropLast(2)
    let both = Fixtures.jwks.dropLast(2) + ", " + weak + "]}"
    let error = try await TemporaryFile.with(String(both)) { path in try await Self.error { $0.jwksFile = path } }
    #expect(error?.problem.contains("2048") == true)
  }

  @Test("A missing file and a folder are errors")
  func noFile() async throws {
    #expect(try await Self.error { $0.jwksFile = "/nowhere/jwks.json" }?.problem.contains("can't be read") == true)
    #expect(try await Self.error { $0.jwksFile = "/tmp" }?.problem.contains("can't be read") == true)
  }

  @Test("Keys of other kinds and uses don't spoil a JWKS")
  func otherKinds() async throws {
    let others = """
      {"keys": [{"kty":"OKP","crv":"X25519","x":"AA","use":"enc"}, {"kty":"AKP","alg":"ML-DSA-44","pub":"AA"},
      {"kty":"RSA","alg":"RSA-OAEP","use":"enc","n":"AA","e":"AQAB"}, {"kty":"oct","k":"AA"},
      {"kty":"EC","key_ops":["deriveKey"],"crv":"P-256","x":"AA","y":"AA"},\(" ")
      """
    let set = others + Fixtures.jwks.dropFirst(#"{"keys": ["#.count)
    try await TemporaryFile.with(set) { path in
      let authenticator = try await JWTAuthenticator.test { $0.jwksFile = path }
      #expect(await authenticator.verify(try #require(Fixtures.tokens["RS256"])).user == "42")
      #expect(authenticator.warnings.contains { $0.contains("key 4 is left out: it is a symmetric key") })
      #expect(authenticator.warnings.count == 1)
    }
  }

  @Test(
    "An address that is no web server's, or has a password, is an error",
    arguments: ["ftp://id.example/jwks", "file:///etc/passwd", "jwks.json", "https://", "https://me:word@id.example/"])
  func address(text: String) async throws {
    let error = try await Self.error { $0.jwksURL = URL(string: text) }
    #expect(error?.setting == .jwksURL)
    #expect(error?.description.contains("word@") == false)
  }

  @Test("Numbers out of range and empty names are errors")
  func ranges() async throws {
    #expect(try await Self.error { $0.jwksRefreshSeconds = 0 }?.setting == .jwksRefreshSeconds)
    #expect(try await Self.error { $0.leewaySeconds = -1 }?.setting == .jwtLeewaySeconds)
    #expect(try await Self.error { $0.leewaySeconds = 3_601 }?.setting == .jwtLeewaySeconds)
    #expect(try await Self.error { $0.userClaim = "" }?.setting == .jwtUserClaim)
    #expect(try await Self.error { $0.audience = [] }?.setting == .jwtAudience)
    #expect(try await Self.error { $0.audience = ["a", ""] }?.setting == .jwtAudience)
    #expect(try await Self.error { $0.issuer = "" }?.setting == .jwtIssuer)
  }

  @Test("A short secret and an address without TLS work, with a warning")
  func warnings() async throws {
    let short = try await JWTAuthenticator.test { $0.secret = Secret("short") }
    #expect(short.warnings.count == 1)
    #expect(await short.verify(Tokens.hmac(Tokens.claims(), secret: "short")).user == "42")
    #expect(try await JWTAuthenticator.test { $0.jwksURL = URL(string: "http://id.example/") }.warnings.count == 1)
    #expect(try await JWTAuthenticator.test { $0.jwksURL = URL(string: "http://127.0.0.1:8080/") }.warnings.isEmpty)
    #expect(try await JWTAuthenticator.test { $0.secret = Secret(Fixtures.secret) }.warnings.isEmpty)
  }
}
