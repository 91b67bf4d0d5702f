import NotifyCore
import Testing

@testable import NotifyAuth

@Suite("Django's sessions log their users in")
struct DjangoSessionTests {
  static let key = "abcdefghijklmnopqrstuvwxyz012345"
  static let hash = Hexadecimal.sha256(key)

  /// Verifies a cookie. The row is that of the session `key`, the account that of user 42.
  static func verify(
    _ cookie: String, row: CredentialAnswer = .unknown,
    account: CredentialAnswer = .record(user: 42, secret: DjangoFixtures.password, seen: 200),
    lookup: LookupTable = LookupTable(), now: Double = DjangoFixtures.now,
    change: (inout DjangoSettings) -> Void = { _ in }
  ) async throws -> Verdict {
    var settings = DjangoSettings()
    settings.secretKey = Secret(DjangoFixtures.secret)
    change(&settings)
    lookup.answer(.session(key: Secret(key)), row)
    lookup.answer(.account(UserID(42)), account)
    let authenticator = try DjangoSessionAuthenticator(settings, lookup: lookup, clock: { now })
    return await authenticator.verify(.cookie(Secret(cookie)))
  }

  static func verifyRow(_ data: String, change: (inout DjangoSettings) -> Void = { _ in }) async throws -> Verdict {
    try await verify("sessionid=\(key)", row: .record(secret: data, expires: 5), change: change)
  }

  @Test(
    "A session's row logs its user in until the row expires",
    arguments: [DjangoFixtures.row, DjangoFixtures.plainRow, DjangoFixtures.compressedRow])
  func rows(data: String) async throws {
    #expect(
      try await Self.verifyRow(data)
        == .accepted(
          Identity(
            user: UserID(42), expires: 5, login: .session(Self.hash),
            renewal: .cookie(Secret("sessionid=\(Self.key)")), seen: Snapshot(xmax: 100))))
  }

  @Test(
    "A signed cookie logs its user in for as long as Django accepts it",
    arguments: [DjangoFixtures.cookie, DjangoFixtures.compressedCookie])
  func cookies(cookie: String) async throws {
    let expires = DjangoFixtures.now + 1_209_600
    let expected = Verdict.accepted(
      Identity(user: UserID(42), expires: expires, login: .session(nil), seen: Snapshot(xmax: 200)))
    #expect(try await Self.verify("sessionid=\(cookie)") == expected)
    #expect(try await Self.verify("sessionid=\(cookie)", now: expires - 1) == expected)
    #expect(try await Self.verify("sessionid=\(cookie)", now: expires).reason == .expired)
    #expect(
      try await Self.verify("sessionid=\(cookie)", now: DjangoFixtures.now + 61) { $0.sessionAgeSeconds = 60 }.reason
        == .expired)
  }

  @Test("The other values of a session don't matter if Django's json reads them")
  func otherData() async throws {
    #expect(try await Self.verifyRow(DjangoFixtures.oddRow).user == "42")
    #expect(try await Self.verify("sessionid=\(DjangoFixtures.oddCookie)").user == "42")
    #expect(try await Self.verifyRow(DjangoFixtures.halfUserRow).reason == .invalid)
  }

  @Test("A uuid logs in by its text")
  func uuid() async throws {
    let id = try #require(UserID("0d0f6a9e-7c4b-4f0e-9a52-3b1c5d7e9f10"))
    let lookup = LookupTable()
    let record = CredentialRecord(
      user: id, secret: Secret(DjangoFixtures.password), isActive: true, isExpired: false, expires: nil,
      seen: Snapshot(xmax: 1))
    lookup.answer(.account(id), .found(record))
    let verdict = try await Self.verify(
      "sessionid=\(Self.key)", row: .record(secret: DjangoFixtures.uuidRow), lookup: lookup)
    #expect(verdict.user == id.text)
  }

  @Test("The last of several cookies counts, quoted or not, by the configured name")
  func cookieHeader() async throws {
    let cookie = DjangoFixtures.cookie
    for header in ["a=b; sessionid=x; sessionid=\(cookie)", "sessionid=\"\(cookie)\";a=b", " sessionid = \(cookie) ;"] {
      #expect(try await Self.verify(header).user == "42", "\(header.prefix(20))")
    }
    for header in ["", "sessionid", "sessionid=", "xsessionid=\(cookie)", "sessionid=\(cookie); sessionid=", ";;;=;"] {
      #expect(try await Self.verify(header).reason == .missing, "\(header.prefix(20))")
    }
    #expect(try await Self.verify("sid=\(cookie)") { $0.sessionCookie = "sid" }.user == "42")
  }

  @Test("A former key counts where it is a fallback")
  func fallbacks() async throws {
    #expect(try await Self.verifyRow(DjangoFixtures.olderRow).reason == .invalid)
    let verdict = try await Self.verifyRow(DjangoFixtures.olderRow) {
      $0.fallbacks = [Secret("yet another"), Secret(DjangoFixtures.older)]
    }
    #expect(verdict.user == "42")
  }

  @Test("A value that Django did not sign for a session is refused without a look-up of its user")
  func forged() async throws {
    let good = DjangoFixtures.plainRow
    let parts = good.split(separator: ":")
    var bad = [
      "", "x", ":", "::", ":::::", "\(parts[0]):\(parts[1])", "\(parts[0]):\(parts[1]):", "\(good)=", "\(good)A",
      ".\(good)",
      "\(parts[0])::\(parts[2])", "\(parts[0]):zzzzzz:\(parts[2])", "\(parts[0]):zzzzzzzzzzzzzz:\(parts[2])",
      DjangoFixtures.cookie, DjangoFixtures.resetToken, DjangoFixtures.hugeRow, String(good.dropLast(5)),
    ]
    for place in stride(from: 0, to: good.utf8.count, by: 7) {
      var bytes = Array(good.utf8)
      bytes[place] = bytes[place] == UInt8(ascii: "b") ? UInt8(ascii: "c") : UInt8(ascii: "b")
      bad.append(String(decoding: bytes, as: UTF8.self))
    }
    for data in bad {
      let lookup = LookupTable()
      let verdict = try await Self.verify("sessionid=\(Self.key)", row: .record(secret: data), lookup: lookup)
      #expect(verdict.reason == .invalid, "\(data.prefix(40))")
      #expect(lookup.asked.count == 1)
    }
    for cookie in [good, DjangoFixtures.resetToken, DjangoFixtures.pickledCookie, "\(DjangoFixtures.cookie)x"] {
      #expect(try await Self.verify("sessionid=\(cookie)").reason == .invalid)
    }
  }

  @Test(
    "A key out of Django's form isn't looked up",
    arguments: ["short", "abcdefgh'", String(repeating: "a", count: 41), "abc def ghi"])
  func keys(value: String) async throws {
    let lookup = LookupTable()
    #expect(try await Self.verify("sessionid=\(value)", lookup: lookup).reason == .invalid)
    #expect(lookup.asked.isEmpty)
  }

  @Test(
    "Each refusal has its reason: no row, an expired row, a row without a user, a changed password, no user, an inactive user"
  )
  func reasons() async throws {
    let row = CredentialAnswer.record(secret: DjangoFixtures.row)
    let header = "sessionid=\(Self.key)"
    #expect(try await Self.verify(header, row: .unknown).reason == .invalid)
    #expect(try await Self.verify(header, row: .record(secret: DjangoFixtures.row, isExpired: true)).reason == .expired)
    #expect(try await Self.verify(header, row: .record(secret: nil)).reason == .invalid)
    #expect(try await Self.verifyRow(DjangoFixtures.visitorRow).reason == .missing)
    #expect(try await Self.verifyRow(DjangoFixtures.numberRow).reason == .invalid)
    #expect(try await Self.verifyRow(DjangoFixtures.hashlessRow).reason == .invalid)
    #expect(try await Self.verify(header, row: row, account: .record(user: 42, secret: "changed")).reason == .revoked)
    #expect(try await Self.verify(header, row: row, account: .record(user: 42, secret: nil)).reason == .revoked)
    #expect(try await Self.verify(header, row: row, account: .unknown).reason == .revoked)
    let inactive = CredentialAnswer.record(user: 42, secret: DjangoFixtures.password, isActive: false)
    #expect(try await Self.verify(header, row: row, account: inactive).reason == .inactive)
  }

  @Test("A database that is away is no refusal")
  func unavailable() async throws {
    let header = "sessionid=\(Self.key)"
    #expect(try await Self.verify(header, row: .unavailable("away")) == .unavailable(detail: "away"))
    let verdict = try await Self.verify(header, row: .record(secret: DjangoFixtures.row), account: .unavailable("away"))
    #expect(verdict == .unavailable(detail: "away"))
  }

  @Test("No detail holds anything of the cookie")
  func redacted() async throws {
    for cookie in [DjangoFixtures.resetToken, DjangoFixtures.pickledCookie, "abcdefghijkl:mnop", Self.key] {
      let detail = try await Self.verify("sessionid=\(cookie)").detail ?? ""
      #expect(!detail.isEmpty && !detail.contains(cookie.prefix(12)))
    }
  }

  @Test("Settings that can't be right are refused")
  func settings() {
    for change in [
      { $0.secretKey = nil }, { $0.secretKey = Secret("") }, { $0.sessionCookie = "" }, { $0.sessionCookie = "a=b" },
      { $0.sessionAgeSeconds = 0 },
    ] as [(inout DjangoSettings) -> Void] {
      var settings = DjangoSettings()
      settings.secretKey = Secret("x")
      change(&settings)
      #expect(throws: AuthConfigurationError.self) { try DjangoSessionAuthenticator(settings, lookup: LookupTable()) }
    }
  }

  @Test("Inflating has a bound and needs a whole stream")
  func inflation() throws {
    let data = try #require(
      Base64URL.decode(Array(DjangoFixtures.compressedCookie.split(separator: ":")[0].dropFirst().utf8)[...]))
    let whole = try #require(Inflation.inflate(data, atMost: 10_000))
    #expect(whole.starts(with: "{".utf8))
    #expect(Inflation.inflate(data, atMost: whole.count) == whole)
    #expect(Inflation.inflate(data, atMost: whole.count - 1) == nil)
    #expect(Inflation.inflate(Array(data.dropLast()), atMost: 10_000) == nil)
    #expect(Inflation.inflate([], atMost: 10_000) == nil)
    #expect(Inflation.inflate([1, 2, 3], atMost: 10_000) == nil)
  }

  @Test("A delimiter of the cookie header counts behind any letter, also one that joins it")
  func cookieHeader() {
    #expect(CookieHeader.value(of: "sessionid", in: "a=1\u{604};sessionid=x") == "x")
    #expect(CookieHeader.value(of: "sessionid", in: "sessionid=\u{301}x") == "\u{301}x")
  }
}
