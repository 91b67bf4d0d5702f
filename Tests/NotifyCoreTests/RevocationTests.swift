import NotifyCore
import Testing

@Suite("A revocation ends access")
struct RevocationTests {
  static func identity(_ login: Identity.Login = .other, user: Int64 = 7, seen: UInt64? = nil) -> Identity {
    Identity(user: UserID(user), expires: nil, login: login, seen: seen.map { Snapshot(xmax: $0) })
  }

  static func index(_ user: Int64?, _ scope: Revocation.Scope, txid: UInt64 = 50) -> RevocationIndex {
    RevocationIndex([Revocation(user: user.map { UserID($0) }, scope: scope, reason: .revoked, txid: txid)])
  }

  @Test("A revocation ends the access in its scope, of its user")
  func scopes() {
    let logins: [Identity.Login] = [.other, .session("a"), .session(nil), .token("a")]
    func ended(_ index: RevocationIndex) -> [Bool] { logins.map { index.reason(for: Self.identity($0)) != nil } }
    #expect(ended(Self.index(7, .user)) == [true, true, true, true])
    #expect(ended(Self.index(nil, .user)) == [true, true, true, true])
    #expect(ended(Self.index(8, .user)) == [false, false, false, false])
    #expect(ended(Self.index(7, .sessions)) == [false, true, true, false])
    #expect(ended(Self.index(nil, .sessions)) == [false, true, true, false])
    #expect(ended(Self.index(8, .sessions)) == [false, false, false, false])
    #expect(ended(Self.index(7, .tokens)) == [false, false, false, true])
    #expect(ended(Self.index(nil, .tokens)) == [false, false, false, true])
    #expect(ended(Self.index(nil, .session("a"))) == [false, true, false, false])
    #expect(ended(Self.index(nil, .session("b"))) == [false, false, false, false])
    #expect(ended(Self.index(7, .token("a"))) == [false, false, false, true])
    #expect(ended(Self.index(8, .token("a"))) == [false, false, false, true], "the hash says it all")
    #expect(ended(Self.index(7, .token("b"))) == [false, false, false, false])
  }

  @Test("A revocation has its own reason")
  func reason() {
    let index = RevocationIndex([
      Revocation(user: UserID(7), scope: .user, reason: .inactive, txid: 1),
      Revocation(user: UserID(8), scope: .user, reason: .revoked, txid: 1),
    ])
    #expect(index.reason(for: Self.identity()) == .inactive)
    #expect(index.reason(for: Self.identity(user: 8)) == .revoked)
    #expect(index.count == 2)
  }

  @Test("A revocation that the look-up of the credential saw does not end its access")
  func seen() {
    #expect(Self.index(7, .user, txid: 50).reason(for: Self.identity(seen: 51)) == nil)
    #expect(Self.index(7, .user, txid: 50).reason(for: Self.identity(seen: 50)) == .revoked)
    let both = RevocationIndex([50, 60].map { Revocation(user: UserID(7), scope: .user, reason: .revoked, txid: $0) })
    #expect(both.reason(for: Self.identity(seen: 55)) == .revoked)
    #expect(both.reason(for: Self.identity(seen: 61)) == nil)
  }

  @Test("A revocation during the verification of a credential ends its access")
  func history() {
    var history = RevocationHistory()
    history.add(Self.index(7, .user))
    let start = history.serial
    #expect(history.judge(Self.identity(), since: start) == .good)
    history.add(Self.index(8, .user))
    #expect(history.judge(Self.identity(), since: start) == .good)
    #expect(history.judge(Self.identity(user: 8), since: start) == .ended(.revoked))
    #expect(history.judge(Self.identity(), since: 0) == .ended(.revoked))
  }

  @Test("After a forgotten revocation the credential is verified again")
  func forgotten() {
    var history = RevocationHistory()
    let start = history.serial
    for _ in 0..<Limits.rememberedRevocations { history.add(Self.index(8, .user)) }
    #expect(history.judge(Self.identity(), since: start) == .good)
    history.add(Self.index(8, .user))
    #expect(history.judge(Self.identity(), since: start) == .unknown)
    #expect(history.judge(Self.identity(), since: start + 1) == .good)
    let many = (0...Limits.rememberedRevocations).map {
      Revocation(user: UserID(Int64($0)), scope: .user, reason: .revoked, txid: 1)
    }
    let before = history.serial
    history.add(RevocationIndex(many))
    #expect(history.judge(Self.identity(), since: before) == .unknown)
    #expect(history.judge(Self.identity(), since: history.serial) == .good)
  }

  @Test("A revocation is read from its columns; unknown ones are skipped")
  func columns() {
    func read(_ user: String, _ kind: String, _ credential: String?, _ reason: String = "revoked") -> Revocation? {
      Revocation(user: user, kind: kind, credential: credential, reason: reason, txid: 9)
    }
    #expect(
      read("7", "user", nil, "inactive") == Revocation(user: UserID(7), scope: .user, reason: .inactive, txid: 9))
    #expect(read("", "sessions", nil) == Revocation(user: nil, scope: .sessions, reason: .revoked, txid: 9))
    #expect(read("", "tokens", nil)?.scope == .tokens)
    #expect(read("", "token", "ab") == Revocation(user: nil, scope: .token("ab"), reason: .revoked, txid: 9))
    #expect(read("", "session", "ab")?.scope == .session("ab"))
    #expect(read("7", "session", nil) == nil)
    #expect(read("7", "user", "ab") == nil)
    #expect(read("7", "other", nil) == nil)
    #expect(read("7", "user", nil, "other") == nil)
    #expect(read(String(repeating: "x", count: 129), "user", nil) == nil, "of nobody, not of everybody")
  }
}
