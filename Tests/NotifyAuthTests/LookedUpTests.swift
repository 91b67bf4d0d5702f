import NotifyCore
import Testing

@testable import NotifyAuth

@Suite("The database decides on keys, tickets and active users")
struct LookedUpTests {
  static let key = "0123456789abcdef0123456789abcdef01234567"
  static let ticket = "nbt_abcdefghijklmnopqrstuvwxyz-_0123456789ABCDEFG"

  @Test("A key of REST framework belongs to the user in its row")
  func token() async {
    let question = CredentialQuestion.token(key: Secret(Self.key))
    let authenticator = { DRFTokenAuthenticator(lookup: LookupTable([(question, $0)])) }
    #expect(
      await authenticator(.record(user: 7, seen: 9)).verify(.token(Secret(Self.key)))
        == .accepted(
          Identity(
            user: UserID(7), expires: nil, login: .token(Hexadecimal.sha256(Self.key)), seen: Snapshot(xmax: 9))))
    #expect(await authenticator(.record(user: 7)).verify(.any(Secret(Self.key))).user == "7")
    #expect(await authenticator(.record(user: 7, isActive: false)).verify(.token(Secret(Self.key))).reason == .inactive)
    #expect(await authenticator(.unknown).verify(.token(Secret(Self.key))).reason == .invalid)
    #expect(await authenticator(.unavailable("away")).verify(.token(Secret(Self.key))) == .unavailable(detail: "away"))
  }

  @Test("A text out of a key's shape is not looked up")
  func shape() async {
    let lookup = LookupTable()
    for text in ["", "x", Self.key.uppercased(), Self.key + "0", Self.ticket] {
      #expect(await DRFTokenAuthenticator(lookup: lookup).verify(.token(Secret(text))).reason == .invalid)
    }
    for text in ["", "x", Self.key, "nbt_"] {
      #expect(await TicketAuthenticator(lookup: lookup).verify(.any(Secret(text))).reason == .invalid)
    }
    #expect(await DRFTokenAuthenticator(lookup: lookup).verify(.cookie(Secret(Self.key))).reason == .invalid)
    #expect(lookup.asked.isEmpty)
  }

  @Test("A ticket is looked up by its hash alone")
  func ticketHash() async {
    let question = CredentialQuestion.ticket(hash: Hexadecimal.sha256(Self.ticket))
    let authenticator = { TicketAuthenticator(lookup: LookupTable([(question, $0)])) }
    #expect(
      await authenticator(.record(user: 7, seen: 9)).verify(.any(Secret(Self.ticket)))
        == .accepted(Identity(user: UserID(7), expires: nil, login: .ticket, seen: Snapshot(xmax: 9))))
    #expect(await authenticator(.record(user: 7, isExpired: true)).verify(.any(Secret(Self.ticket))).reason == .expired)
    #expect(await authenticator(.unknown).verify(.any(Secret(Self.ticket))).reason == .invalid)
    #expect(await authenticator(.unavailable("away")).verify(.any(Secret(Self.ticket))) == .unavailable(detail: "away"))
  }

  @Test("A JWT's user must exist and be active; the JWT's claims stay")
  func activeUser() async throws {
    let jwt = try await JWTAuthenticator.test { $0.secret = Secret(Fixtures.secret) }
    let credential = Credential.any(Secret(Fixtures.simpleAccess))
    let verify = { (answer: CredentialAnswer) in
      await ActiveUserAuthenticator(jwt, lookup: LookupTable([(.active(UserID(42)), answer)])).verify(credential)
    }
    #expect(
      await verify(.record(user: 42, seen: 9))
        == .accepted(Identity(user: UserID(42), expires: 4_102_444_800, seen: Snapshot(xmax: 9))))
    #expect(await verify(.record(user: 42, isActive: false)).reason == .inactive)
    #expect(await verify(.unknown).reason == .revoked)
    #expect(await verify(.unavailable("away")) == .unavailable(detail: "away"))
    let lookup = LookupTable()
    let refused = await ActiveUserAuthenticator(jwt, lookup: lookup).verify(.any(Secret(Fixtures.simpleRefresh)))
    #expect(refused.reason == .invalid)
    #expect(lookup.asked.isEmpty)
  }

  @Test("Hexadecimal is read as it is written, and nothing else")
  func hexadecimal() {
    #expect(Hexadecimal.decode(Hexadecimal.encode([0, 9, 171, 255])) == [0, 9, 171, 255])
    for text in ["0", "0G", "AB", "é0", "00 "] { #expect(Hexadecimal.decode(text) == nil) }
    #expect(Hexadecimal.sha256("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }
}
