import Foundation
import NIOHTTP1
import NotifyCore
import ServiceLifecycle
import TestSupport
import Testing

@testable import NotifyAuth

@Suite("Key sets follow the issuer's rotation", .timeLimit(.minutes(1)))
struct RotationTests {
  /// A bridge's authenticator with its services running, and the time in the test's hands.
  struct Scene {
    let authenticator: JWTAuthenticator
    let clock: ManualClock
    let pauses: ManualPauses

    /// Waits until the service has read and pauses.
    func pause() async throws -> ManualPauses.Pause {
      let pause = await pauses.next()
      return try #require(pause)
    }

    /// Waits for the next pause, which is to be this long.
    func pause(of seconds: Int) async throws {
      let pause = try await pause()
      #expect(pause.duration == .seconds(seconds))
    }
  }

  static func run(
    _ change: (inout JWTSettings) -> Void, replacing previous: JWTAuthenticator? = nil,
    _ body: (Scene) async throws -> Void
  ) async throws {
    var settings = JWTSettings()
    change(&settings)
    let clock = ManualClock()
    let pauses = ManualPauses()
    let authenticator = try await JWTAuthenticator(
      settings, replacing: previous, logger: .silent, clock: { clock.now }, wait: { await pauses.wait($0) })
    let scene = Scene(authenticator: authenticator, clock: clock, pauses: pauses)
    try await withThrowingTaskGroup(of: Void.self) { group in
      for service in authenticator.services { group.addTask { try await service.run() } }
      try await body(scene)
      group.cancelAll()
    }
  }

  static func token(_ key: SigningKey, kid: String?) -> String {
    let name = kid.map { #","kid":"\#($0)""# } ?? ""
    return Tokens.signed(Tokens.claims(), header: #"{"alg":"ES256"\#(name)}"#, by: key)
  }

  @Test("Before the first fetch a token can't be looked up; afterwards its user is accepted")
  func start() async throws {
    let key = SigningKey.p256()
    let token = Self.token(key, kid: "a")
    try await KeySetServer.serve(Tokens.keySet([("a", key)])) { server in
      let address = URL(string: server.address)
      let notRunning = try await JWTAuthenticator.test { $0.jwksURL = address }
      #expect(await notRunning.verify(token).isUnavailable)
      try await Self.run {
        $0.jwksURL = address
      } _: { scene in
        try await scene.pause(of: 300)
        #expect(await scene.authenticator.verify(token).user == "42")
        #expect(server.count == 1)
      }
    }
  }

  @Test("An HS256 token needs no key set, and without a secret it isn't waited for")
  func withoutKeySet() async throws {
    let address = URL(string: "http://127.0.0.1:9/")
    let both = try await JWTAuthenticator.test {
      $0.secret = Secret(Fixtures.secret)
      $0.jwksURL = address
    }
    #expect(await both.verify(Tokens.hmac(Tokens.claims())).user == "42")
    let only = try await JWTAuthenticator.test { $0.jwksURL = address }
    #expect(await only.verify(Tokens.hmac(Tokens.claims())).reason == .invalid)
  }

  @Test("A token with an unknown kid has the set read once more; a second within five seconds is invalid at once")
  func unknownKey() async throws {
    let old = SigningKey.p256()
    let new = SigningKey.p256()
    let newest = SigningKey.p256()
    try await KeySetServer.serve(Tokens.keySet([("old", old)])) { server in
      try await Self.run {
        $0.jwksURL = URL(string: server.address)
      } _: { scene in
        _ = try await scene.pause()
        server.respond { $0.body = Tokens.keySet([("old", old), ("new", new)]) }
        #expect(await scene.authenticator.verify(Self.token(new, kid: "new")).user == "42")
        #expect(server.count == 2)
        // The old key stays good while it is published.
        #expect(await scene.authenticator.verify(Self.token(old, kid: "old")).user == "42")

        server.respond { $0.body = Tokens.keySet([("newest", newest)]) }
        let newestToken = Self.token(newest, kid: "newest")
        scene.clock.advance(by: 4.9)
        #expect(await scene.authenticator.verify(newestToken).reason == .invalid)
        #expect(server.count == 2)
        scene.clock.advance(by: 0.2)
        #expect(await scene.authenticator.verify(newestToken).user == "42")
        #expect(server.count == 3)
        // The old key is gone with the set that had it.
        #expect(await scene.authenticator.verify(Self.token(old, kid: "old")).reason == .invalid)
      }
    }
  }

  @Test("Many tokens with unknown keys cost one fetch; a wrong signature under a known kid none")
  func flood() async throws {
    let key = SigningKey.p256()
    try await KeySetServer.serve(Tokens.keySet([("a", key)])) { server in
      try await Self.run {
        $0.jwksURL = URL(string: server.address)
      } _: { scene in
        _ = try await scene.pause()
        let stranger = SigningKey.p256()
        let wrong = Self.token(stranger, kid: "a")
        #expect(await scene.authenticator.verify(wrong).reason == .invalid)
        #expect(server.count == 1)
        let authenticator = scene.authenticator
        try await withThrowingTaskGroup(of: CloseReason.CredentialFault?.self) { group in
          for number in 0..<100 {
            group.addTask { await authenticator.verify(Self.token(stranger, kid: "\(number)")).reason }
          }
          for try await reason in group { #expect(reason == .invalid) }
        }
        #expect(server.count == 2)
      }
    }
  }

  @Test("The set is fetched again every refresh, and after SIGHUP at once")
  func refresh() async throws {
    let key = SigningKey.p256()
    try await KeySetServer.serve(Tokens.keySet([("a", key)])) { server in
      try await Self.run {
        $0.jwksURL = URL(string: server.address)
        $0.jwksRefreshSeconds = 60
      } _: { scene in
        let first = try await scene.pause()
        #expect(first.duration == .seconds(60))
        first.finish()
        _ = try await scene.pause()
        #expect(server.count == 2)
        await scene.authenticator.reload()
        _ = try await scene.pause()
        #expect(server.count == 3)
      }
    }
  }

  @Test("After SIGHUP the keys of an unchanged address stay good while the issuer is down, those of another do not")
  func reloadWhileDown() async throws {
    let key = SigningKey.p256()
    let known = Self.token(key, kid: "a")
    try await KeySetServer.serve(Tokens.keySet([("a", key)])) { server in
      let address = URL(string: server.address)
      let other = URL(string: server.address + "other")
      try await Self.run {
        $0.jwksURL = address
      } _: { scene in
        _ = try await scene.pause()
        server.respond { $0.status = .serviceUnavailable }
        for (url, stays) in [(address, true), (other, false)] {
          try await Self.run({ $0.jwksURL = url }, replacing: scene.authenticator) { next in
            #expect(await next.authenticator.verify(known).user == (stays ? "42" : nil))
            try await next.pause(of: 1)
            #expect(await next.authenticator.verify(known).user == (stays ? "42" : nil))
          }
        }
      }
    }
  }

  @Test("A fetch that fails is tried again, ever more seldom; the keys before it stay")
  func failures() async throws {
    let key = SigningKey.p256()
    let set = Tokens.keySet([("a", key)])
    let known = Self.token(key, kid: "a")
    let unknown = Self.token(SigningKey.p256(), kid: "b")
    try await KeySetServer.serve(set) { server in
      server.respond { $0.status = .serviceUnavailable }
      try await Self.run {
        $0.jwksURL = URL(string: server.address)
      } _: { scene in
        for seconds in [1, 2, 4, 8, 16, 30] {
          let pause = try await scene.pause()
          #expect(pause.duration == .seconds(seconds))
          pause.finish()
        }
        try await scene.pause(of: 30)
        #expect(await scene.authenticator.verify(known).isUnavailable)
        try await scene.pause(of: 30)

        server.respond { $0.status = .ok }
        await scene.authenticator.reload()
        try await scene.pause(of: 300)
        #expect(await scene.authenticator.verify(known).user == "42")

        let responses: [@Sendable (inout KeySetServer.Response) -> Void] = [
          { $0.status = .notFound }, { $0.body = "<html>" }, { $0.body = #"{"keys":[]}"# },
          { $0.body = String(repeating: " ", count: 300 << 10) }, { $0.body = Fixtures.weakJWKS },
          { [address = server.address] in
            $0.status = .found
            $0.headers.add(name: "Location", value: address)
          },
        ]
        for response in responses {
          server.respond {
            $0 = KeySetServer.Response()
            response(&$0)
          }
          await scene.authenticator.reload()
          let pause = try await scene.pause()
          #expect(pause.duration < .seconds(300))
          #expect(await scene.authenticator.verify(known).user == "42")
          scene.clock.advance(by: 6)
          // What isn't known may be in the set that can't be read: no reason to refuse.
          #expect(await scene.authenticator.verify(unknown).isUnavailable)
          _ = try await scene.pause()
        }
      }
    }
  }

  @Test("A redirect is not followed: it may lead to another server")
  func redirect() async throws {
    let key = SigningKey.p256()
    try await KeySetServer.serve(Tokens.keySet([("a", key)])) { other in
      try await KeySetServer.serve("") { server in
        let location = other.address
        server.respond {
          $0.status = .found
          $0.headers.add(name: "Location", value: location)
        }
        try await Self.run {
          $0.jwksURL = URL(string: server.address)
        } _: { scene in
          try await scene.pause(of: 1)
          #expect(await scene.authenticator.verify(Self.token(key, kid: "a")).isUnavailable)
          #expect(other.count == 0)
        }
      }
    }
  }

  @Test("An issuer without kids may rotate too")
  func withoutKeyIDs() async throws {
    let old = SigningKey.p256()
    let new = SigningKey.p256()
    try await KeySetServer.serve(Tokens.keySet([(nil, old)])) { server in
      try await Self.run {
        $0.jwksURL = URL(string: server.address)
      } _: { scene in
        _ = try await scene.pause()
        #expect(await scene.authenticator.verify(Self.token(old, kid: nil)).user == "42")
        server.respond { $0.body = Tokens.keySet([(nil, new)]) }
        #expect(await scene.authenticator.verify(Self.token(new, kid: nil)).user == "42")
        #expect(server.count == 2)
      }
    }
  }

  @Test("A key that the token names is tried before keys without a name, however many those are")
  func namedKeyFirst() async throws {
    let key = SigningKey.p256()
    let nameless: [(id: String?, key: SigningKey)] = (0..<Limits.keysTried).map { _ in (nil, SigningKey.p256()) }
    try await TemporaryFile.with(Tokens.keySet(nameless + [("a", key)])) { path in
      let authenticator = try await JWTAuthenticator.test { $0.jwksFile = path }
      #expect(await authenticator.verify(Self.token(key, kid: "a")).user == "42")
    }
  }

  @Test("A file is read again within a second, on SIGHUP and for an unknown kid; a broken one changes nothing")
  func file() async throws {
    let keys = (0..<4).map { _ in SigningKey.p256() }
    func set(_ index: Int) -> String { Tokens.keySet([("\(index)", keys[index])]) }
    func token(_ index: Int) -> String { Self.token(keys[index], kid: "\(index)") }
    try await TemporaryFile.with(set(0)) { path in
      try await Self.run {
        $0.jwksFile = path
      } _: { scene in
        let first = try await scene.pause()
        #expect(first.duration == .seconds(1))
        #expect(await scene.authenticator.verify(token(0)).user == "42")

        try TemporaryFile.write(set(1), to: path)
        first.finish()
        _ = try await scene.pause()
        #expect(await scene.authenticator.verify(token(1)).user == "42")

        try TemporaryFile.write(set(2), to: path)
        await scene.authenticator.reload()
        _ = try await scene.pause()
        #expect(await scene.authenticator.verify(token(2)).user == "42")

        try TemporaryFile.write(set(3), to: path)
        #expect(await scene.authenticator.verify(token(3)).user == "42")
        _ = try await scene.pause()

        try TemporaryFile.write("{", to: path)
        await scene.authenticator.reload()
        _ = try await scene.pause()
        #expect(await scene.authenticator.verify(token(3)).user == "42")
        let problem = #"NOTIFY_BRIDGE_AUTH_JWT_JWKS_FILE is not a JWKS, a JSON object with "keys""#
        #expect(await scene.authenticator.problems() == [problem])
      }
    }
  }
}
