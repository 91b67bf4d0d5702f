import NotifyCore
import TestSupport
import Testing

@testable import NotifyAuth

@Suite("A forged or broken token is invalid, and the bridge stays up")
struct AttackTests {
  static let header = #"{"alg":"HS256","typ":"JWT"}"#
  static let claims = Tokens.claims()
  static let good = Tokens.hmac(claims)
  static let parts = good.split(separator: ".").map(String.init)

  static func encoded(_ text: String) -> String { Base64URL.encode(text.utf8) }

  /// Everything that is configured, so that no attack fails for want of a key.
  static func authenticator() async throws -> JWTAuthenticator {
    try await TemporaryFile.with(Fixtures.jwks) { path in
      try await JWTAuthenticator.test {
        $0.secret = Secret(Fixtures.secret)
        $0.publicKeyPEM = [Fixtures.rsaPublic, Fixtures.p256Public, Fixtures.ed25519Public]
        $0.jwksFile = path
      }
    }
  }

  /// Tokens that are signed by nobody, or not what was signed.
  static let forged: [String: String] = [
    "none": "\(encoded(#"{"alg":"none"}"#)).\(parts[1]).",
    "None": "\(encoded(#"{"alg":"None"}"#)).\(parts[1]).",
    "NONE with a signature": "\(encoded(#"{"alg":"NONE"}"#)).\(parts[1]).\(parts[2])",
    "an empty algorithm": "\(encoded(#"{"alg":""}"#)).\(parts[1]).\(parts[2])",
    "no algorithm": "\(encoded(#"{"typ":"JWT"}"#)).\(parts[1]).\(parts[2])",
    "an algorithm that is a list": "\(encoded(#"{"alg":["HS256"]}"#)).\(parts[1]).\(parts[2])",
    "an algorithm in small letters": Tokens.hmac(claims, header: #"{"alg":"hs256"}"#),
    "an algorithm of encryption": "\(encoded(#"{"alg":"RSA-OAEP"}"#)).\(parts[1]).\(parts[2])",
    "the algorithm twice": Tokens.hmac(claims, header: #"{"alg":"HS256","alg":"none"}"#),
    "no signature": "\(parts[0]).\(parts[1]).",
    "another user": "\(parts[0]).\(encoded(Tokens.claims(user: "1"))).\(parts[2])",
    "a signature cut short": "\(parts[0]).\(parts[1]).\(parts[2].dropLast(4))",
    "a signature grown longer": "\(parts[0]).\(parts[1]).\(parts[2])AAAA",
    "another secret": Tokens.hmac(claims, secret: "another secret that is as long as the first one was"),
    "a blank secret": Tokens.hmac(claims, secret: " "),
    "HS256 by the RSA key's PEM": Tokens.hmac(claims, secret: Fixtures.rsaPublic),
    "HS256 by the RSA key's PEM and a line's end": Tokens.hmac(claims, secret: Fixtures.rsaPublic + "\n"),
    "HS256 by the RSA key's PEM, with its kid": Tokens.hmac(
      claims, header: #"{"alg":"HS256","kid":"rsa"}"#, secret: Fixtures.rsaPublic),
    "HS256 by the JWKS": Tokens.hmac(claims, secret: Fixtures.jwks),
    "HS512's name on HS256": Tokens.hmac(claims, header: #"{"alg":"HS512"}"#),
    "RS256's name on HS256": Tokens.hmac(claims, header: #"{"alg":"RS256"}"#),
    "ES256 with zeros (CVE-2022-21449)":
      "\(encoded(#"{"alg":"ES256"}"#)).\(parts[1]).\(Base64URL.encode([UInt8](repeating: 0, count: 64)))",
    "crit": Tokens.hmac(claims, header: #"{"alg":"HS256","crit":["exp"]}"#),
    "an empty crit": Tokens.hmac(claims, header: #"{"alg":"HS256","crit":[]}"#),
    "a kid that is a number": Tokens.hmac(claims, header: #"{"alg":"HS256","kid":7}"#),
  ]

  /// Tokens that are not in shape.
  static let broken: [String: String] = [
    "nothing": "", "one dot": ".", "two dots": "..", "three dots": "...",
    "two parts": "\(parts[0]).\(parts[1])", "four parts": "\(good).", "five parts, as JWE": "\(good).a.b",
    "a dot before": ".\(good)", "padding": "\(good)=", "a space": "\(good) ", "a line's end": "\(good)\n",
    "standard base64": "\(parts[0]).\(parts[1]).+/+/",
    "a length that can't be": "\(parts[0]).\(parts[1]).\(parts[2])AA",
    "bits left over": "\(parts[0]).\(parts[1]).QR",
    "letters that aren't ASCII": "\(parts[0]).\(parts[1]).\(parts[2].dropLast(2))ÄÖ",
    "NUL": "\(parts[0]).\(parts[1])\0.\(parts[2])",
    "a header that isn't JSON": "\(encoded("HS256")).\(parts[1]).\(parts[2])",
    "a header that is a list": "\(encoded(#"["alg","HS256"]"#)).\(parts[1]).\(parts[2])",
    "a header with broken UTF-8":
      "\(Base64URL.encode([0x7B, 0x22, 0xFF, 0x22, 0x3A, 0x31, 0x7D])).\(parts[1]).\(parts[2])",
    "a header of 1,000 levels": "\(encoded(String(repeating: "[", count: 1_000))).\(parts[1]).\(parts[2])",
    "17 KB": Tokens.hmac(Tokens.claims(#""x":"\#(String(repeating: "x", count: 17 << 10))""#)),
  ]

  @Test("A token without a signature by a configured key is refused", arguments: forged.keys.sorted())
  func refusesForged(name: String) async throws {
    let verdict = try await Self.authenticator().verify(try #require(Self.forged[name]))
    #expect(verdict.reason == .invalid)
  }

  @Test("A token out of shape is refused", arguments: broken.keys.sorted())
  func refusesBroken(name: String) async throws {
    let verdict = try await Self.authenticator().verify(try #require(Self.broken[name]))
    #expect(verdict.reason == .invalid)
  }

  @Test("A known-good token passes the same authenticator: the tables above test more than a broken one")
  func acceptsGood() async throws {
    let authenticator = try await Self.authenticator()
    #expect(await authenticator.verify(Self.good).user == "42")
    for token in Fixtures.tokens.values { #expect(await authenticator.verify(token).user == "42") }
  }

  @Test("Keys that a token brings along or points to are never used")
  func ownKeys() async throws {
    let mine = SigningKey.p256()
    let set = Tokens.keySet([("mine", mine)])
    let key = try #require(set.firstIndex(of: "[")).advancedKey(in: set)
    let authenticator = try await Self.authenticator()
    try await KeySetServer.serve(set) { server in
      let additions = [
        #""jwk":\#(key)"#, #""jku":"\#(server.address)""#, #""x5u":"\#(server.address)""#, #""x5c":["AAAA"]"#,
        #""kid":"../../dev/null""#, #""kid":"' OR 1=1 --""#,
      ]
      for addition in additions {
        let token = Tokens.signed(Tokens.claims(), header: #"{"alg":"ES256",\#(addition)}"#, by: mine)
        #expect(await authenticator.verify(token).reason == .invalid)
      }
      #expect(server.count == 0)
    }
    // With the right key such a header does no harm.
    let token = Tokens.signed(
      Tokens.claims(), header: #"{"alg":"ES256","jku":"http://127.0.0.1:9/"}"#, by: Tokens.p256)
    #expect(await authenticator.verify(token).user == "42")
  }

  @Test("A key of the right kind that isn't configured is refused, also with a configured kid")
  func otherKeys() async throws {
    let authenticator = try await Self.authenticator()
    let signer = SigningKey.p256()
    for header in [#"{"alg":"ES256"}"#, #"{"alg":"ES256","kid":"p256"}"#, #"{"alg":"ES256","kid":"new"}"#] {
      let token = Tokens.signed(Tokens.claims(), header: header, by: signer)
      #expect(await authenticator.verify(token).reason == .invalid)
    }
  }

  @Test("Every one-character change of a token is refused")
  func changed() async throws {
    let authenticator = try await JWTAuthenticator.test { $0.secret = Secret(Fixtures.secret) }
    let bytes = Array(Self.good.utf8)
    for index in bytes.indices {
      var changed = bytes
      changed[index] = changed[index] == UInt8(ascii: "A") ? UInt8(ascii: "B") : UInt8(ascii: "A")
      #expect(await authenticator.verify(String(decoding: changed, as: UTF8.self)).reason == .invalid)
    }
  }

  @Test("A token of an algorithm without a configured key is refused, and the detail names the settings for it")
  func notConfigured() async throws {
    let onlySecret = try await JWTAuthenticator.test { $0.secret = Secret(Fixtures.secret) }
    let onlyPEM = try await JWTAuthenticator.test { $0.publicKeyPEM = [Fixtures.rsaPublic] }
    let es256 = try #require(Fixtures.tokens["ES256"])
    let first = await onlySecret.verify(es256)
    #expect(first.reason == .invalid)
    #expect(first.detail?.contains("NOTIFY_BRIDGE_AUTH_JWT_JWKS_URL") == true)
    let second = await onlyPEM.verify(Self.good)
    #expect(second.reason == .invalid)
    #expect(second.detail?.contains("NOTIFY_BRIDGE_AUTH_JWT_SECRET") == true)
    #expect(await onlyPEM.verify(es256).reason == .invalid)
  }

  @Test("A JWKS key is used for its alg only")
  func keyAlgorithm() async throws {
    let set = Fixtures.jwks.replacing(#""kid": "rsa""#, with: #""alg": "RS512", "kid": "rsa""#)
    try await TemporaryFile.with(set) { path in
      let authenticator = try await JWTAuthenticator.test { $0.jwksFile = path }
      #expect(await authenticator.verify(try #require(Fixtures.tokens["RS512"])).user == "42")
      #expect(await authenticator.verify(try #require(Fixtures.tokens["RS256"])).reason == .invalid)
      #expect(await authenticator.verify(try #require(Fixtures.tokens["PS512"])).reason == .invalid)
    }
  }
}

extension String.Index {
  /// The first key of a JWKS, whose list begins here.
  fileprivate func advancedKey(in set: String) -> Substring { set[set.index(after: self)...].dropLast(2) }
}
