import NotifyCore
import Testing

@testable import NotifyAuth

@Suite("A rightly signed token needs a user, an expiry and the configured audience")
struct ClaimTests {
  static func verdict(_ claims: String, _ change: (inout JWTSettings) -> Void = { _ in }) async throws -> Verdict {
    try await JWTAuthenticator.test {
      $0.secret = Secret(Fixtures.secret)
      change(&$0)
    }.verify(Tokens.hmac(claims))
  }

  @Test(
    "A whole number and a string that reads the same are the same user",
    arguments: [
      ("42", "42"), (#""42""#, "42"), ("-7", "-7"), ("0", "0"), ("9223372036854775807", "9223372036854775807"),
      (#""0042""#, "0042"), (#""f47ac10b-58cc-4372-a567-0e02b2c3d479""#, "f47ac10b-58cc-4372-a567-0e02b2c3d479"),
      (#""\u00e4\ud83d\ude00""#, "ä😀"), (#""auth0|5f7c""#, "auth0|5f7c"),
    ])
  func users(json: String, user: String) async throws {
    #expect(try await Self.verdict(Tokens.claims(user: json)).user == user)
  }

  @Test(
    "A claim of any other form names no user",
    arguments: [
      "true", "false", "null", "42.0", "42.5", "4.2e1", "-0", "9223372036854775808", "1e300", #""""#, "[]", "[42]",
      "{}", #""a\u0000b""#, #""\n""#, #""\u007f""#, #""\ud800""#, "\"\(String(repeating: "x", count: 129))\"",
      #"1,"user_id":42"#,
    ])
  func noUsers(json: String) async throws {
    #expect(try await Self.verdict(Tokens.claims(user: json)).reason == .invalid)
  }

  @Test("The user is user_id, then sub, or the configured claim alone")
  func userClaim() async throws {
    let end = #""exp":1767229200}"#
    #expect(try await Self.verdict(#"{"sub":"7","user_id":42,"# + end).user == "42")
    #expect(try await Self.verdict(#"{"sub":"7","# + end).user == "7")
    #expect(try await Self.verdict(#"{"user_id":null,"sub":"7","# + end).reason == .invalid)
    #expect(try await Self.verdict("{" + end).reason == .invalid)
    #expect(try await Self.verdict(#"{"sub":"7","uid":9,"# + end) { $0.userClaim = "uid" }.user == "9")
    #expect(try await Self.verdict(#"{"sub":"7","# + end) { $0.userClaim = "uid" }.reason == .invalid)
  }

  @Test(
    "A token is good until exp, and a leeway longer",
    arguments: [
      (1_767_225_601, 0, nil), (1_767_225_600, 0, .expired), (1_767_225_599, 0, .expired), (0, 0, .expired),
      (-1, 0, .expired), (1_767_225_591, 10, nil), (1_767_225_590, 10, .expired), (253_402_300_799, 0, nil),
    ] as [(Int, Int, CloseReason.CredentialFault?)])
  func expiry(exp: Int, leeway: Int, reason: CloseReason.CredentialFault?) async throws {
    let verdict = try await Self.verdict(Tokens.claims(exp: "\(exp)")) { $0.leewaySeconds = leeway }
    #expect(verdict.reason == reason)
    if reason == nil { #expect(verdict.expires == Double(exp + leeway)) }
  }

  @Test(
    "An exp that is no time of this era is invalid",
    arguments: [
      #""1767229200""#, "null", "true", "[1767229200]", "{}", "1e300", "1e999", "-1e999", "253402300800",
      "1767229200000", "99999999999999999999999999", "NaN", "Infinity", "01767229200", "1767229200.", "0x6955",
    ])
  func brokenExpiry(exp: String) async throws {
    #expect(try await Self.verdict(Tokens.claims(exp: exp)).reason == .invalid)
  }

  @Test("An exp with a fraction or far in the past is handled")
  func oddExpiry() async throws {
    #expect(try await Self.verdict(Tokens.claims(exp: "1767225600.5")).expires == 1_767_225_600.5)
    #expect(try await Self.verdict(Tokens.claims(exp: "1.7672292e9")).expires == 1_767_229_200)
    #expect(try await Self.verdict(Tokens.claims(exp: "-1e300")).reason == .expired)
    #expect(try await Self.verdict(#"{"user_id":42}"#).reason == .invalid)
  }

  @Test(
    "A token is good after nbf, and a leeway sooner; iat doesn't matter",
    arguments: [
      (#""nbf":1767225600"#, 0, nil), (#""nbf":1767225601"#, 0, .invalid), (#""nbf":1767225610"#, 10, nil),
      (#""nbf":1767225611"#, 10, .invalid), (#""nbf":-1"#, 0, nil), (#""nbf":"1""#, 0, .invalid),
      (#""nbf":null"#, 0, .invalid), (#""nbf":1e300"#, 0, .invalid), (#""iat":9999999999"#, 0, nil),
    ] as [(String, Int, CloseReason.CredentialFault?)])
  func start(claim: String, leeway: Int, reason: CloseReason.CredentialFault?) async throws {
    let verdict = try await Self.verdict(Tokens.claims(claim)) { $0.leewaySeconds = leeway }
    #expect(verdict.reason == reason)
  }

  @Test(
    "Where audiences are set, the token must name one of them",
    arguments: [
      (#""aud":"bridge""#, true), (#""aud":"other""#, true), (#""aud":["x","bridge"]"#, true),
      (#""aud":"x""#, false), (#""aud":["x","y"]"#, false), (#""aud":[]"#, false), ("", false),
      (#""aud":null"#, false), (#""aud":7"#, false), (#""aud":["bridge",7]"#, false), (#""aud":{"bridge":1}"#, false),
      (#""aud":"Bridge""#, false), (#""aud":["bridge"],"aud":"x""#, false),
    ])
  func audience(claim: String, accepted: Bool) async throws {
    let verdict = try await Self.verdict(Tokens.claims(claim)) { $0.audience = ["bridge", "other"] }
    #expect(verdict.reason == (accepted ? nil : .invalid))
  }

  @Test("Without an audience and an issuer in the settings, aud and iss don't matter, as with SimpleJWT")
  func withoutAudience() async throws {
    #expect(try await Self.verdict(Tokens.claims(#""aud":"x","iss":"y""#)).user == "42")
  }

  @Test(
    "Where an issuer is set, the token must name it",
    arguments: [
      (#""iss":"https://id.example/""#, true), (#""iss":"https://id.example""#, false), ("", false),
      (#""iss":["https://id.example/"]"#, false), (#""iss":null"#, false),
    ])
  func issuer(claim: String, accepted: Bool) async throws {
    let verdict = try await Self.verdict(Tokens.claims(claim)) { $0.issuer = "https://id.example/" }
    #expect(verdict.reason == (accepted ? nil : .invalid))
  }

  @Test(
    "A token_type other than access is invalid",
    arguments: [
      (#""token_type":"access""#, true), (#""token_type":"refresh""#, false), (#""token_type":"sliding""#, false),
      (#""token_type":null"#, false), (#""token_type":1"#, false), (#""token_type":"Access""#, false),
    ])
  func tokenType(claim: String, accepted: Bool) async throws {
    #expect(try await Self.verdict(Tokens.claims(claim)).reason == (accepted ? nil : .invalid))
  }

  @Test(
    "The value of an unused claim doesn't matter",
    arguments: [
      "NaN", "Infinity", "-Infinity", #""\ud800""#, #"["\udc00\ud800"]"#, "1e999", String(repeating: "9", count: 400),
      String(repeating: "[", count: 3_000) + String(repeating: "]", count: 3_000), #"{"exp":1,"exp":2}"#, #"1,"x":2"#,
    ])
  func otherClaims(json: String) async throws {
    #expect(try await Self.verdict(Tokens.claims(#""x":\#(json)"#)).user == "42")
    let token = Tokens.hmac(Tokens.claims(), header: #"{"x":\#(json),"alg":"HS256"}"#)
    #expect(try await JWTAuthenticator.test { $0.secret = Secret(Fixtures.secret) }.verify(token).user == "42")
  }

  @Test(
    "A used claim that stands twice makes the token invalid", arguments: ["exp", "nbf", "user_id", "token_type", "aud"])
  func twice(name: String) async throws {
    let values = ["exp": "1767229200", "nbf": "1", "user_id": "42", "token_type": #""access""#, "aud": #""bridge""#]
    let claims = values.map { #""\#($0)":\#($1)"# }
    let again = #""\#(name)":\#(try #require(values[name]))"#
    #expect(try await Self.verdict("{\(claims.joined(separator: ","))}") { $0.audience = ["bridge"] }.user == "42")
    let twice = "{\((claims + [again]).joined(separator: ","))}"
    #expect(try await Self.verdict(twice) { $0.audience = ["bridge"] }.reason == .invalid)
  }

  @Test("The reason is expired only where a new token helps: an expired refresh token is invalid")
  func expiredAndWrong() async throws {
    let verdict = try await Self.verdict(Tokens.claims(#""token_type":"refresh""#, exp: "1"))
    #expect(verdict.reason == .invalid)
  }

  @Test(
    "A payload that isn't one JSON object is invalid",
    arguments: ["", "null", "42", "[]", "{", "{}{}", "{\"user_id\":42,\"exp\":1767229200}\0", "\u{FEFF}{}", "{'a':1}"])
  func payload(text: String) async throws {
    #expect(try await Self.verdict(text).reason == .invalid)
  }
}
