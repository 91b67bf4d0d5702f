import Foundation
import Logging
import NIOConcurrencyHelpers
import NIOHTTP1
import NotifyCore
import ServiceLifecycle
import TestSupport
import Testing

@testable import NotifyAuth

@Suite("No credential and no key is ever printed", .timeLimit(.minutes(1)))
struct RedactionTests {
  /// Texts of a token that must not turn up: its parts, decoded too.
  static func secrets(of token: String) -> [String] {
    let parts = token.split(separator: ".").map(String.init)
    let decoded = parts.compactMap { Base64URL.decode(ArraySlice(Array($0.utf8))) }
      .map { String(decoding: $0, as: UTF8.self) }
    return (parts + decoded + [token]).filter { $0.count > 4 }
  }

  @Test("A verdict's detail holds no credential")
  func details() async throws {
    let authenticator = try await AttackTests.authenticator()
    let router = CredentialRouter(jwt: authenticator)
    let tokens =
      Array(AttackTests.forged.values) + Array(AttackTests.broken.values) + [
        Tokens.hmac(Tokens.claims(#""iss":"sekrit-issuer","aud":"sekrit-audience","token_type":"sekrit""#)),
        Tokens.hmac(Tokens.claims(user: #""sekrit\u0000user""#)), Tokens.hmac(Tokens.claims(exp: #""sekrit""#)),
        Tokens.hmac(Tokens.claims(), header: #"{"alg":"sekrit-algorithm","kid":"sekrit-kid"}"#),
        RouterTests.key, RouterTests.ticket,
      ]
    for token in tokens {
      for verdict in [await router.verify(.any(Secret(token))), await router.verify(.bearer(Secret(token)))] {
        let detail = try #require(verdict.detail)
        #expect(!detail.contains("sekrit"))
        #expect(!detail.contains(Fixtures.secret))
        for secret in Self.secrets(of: token) { #expect(!detail.contains(secret)) }
      }
    }
  }

  @Test("Descriptions, dumps and mirrors hold no credential and no key")
  func descriptions() async throws {
    let settings = IssuerTests.settings()
    let authenticator = try await JWTAuthenticator(settings, logger: .silent)
    let issuer = try TokenIssuer(settings)
    let token = issuer.token(for: UserID(42), seconds: 60, now: Tokens.now)
    let things: [Any] = [
      settings, authenticator, issuer, token, Credential.any(token), Credential.cookie(token),
      CredentialRouter(jwt: authenticator), HMACSecret(Secret(Fixtures.secret)),
    ]
    for thing in things {
      var dumped = ""
      dump(thing, to: &dumped)
      for text in ["\(thing)", String(reflecting: thing), dumped] {
        #expect(!text.contains(Fixtures.secret))
        #expect(!text.contains(token.exposed))
        for part in token.exposed.split(separator: ".") { #expect(!text.contains(part)) }
      }
    }
  }

  @Test("Errors of settings hold no key")
  func errors() async throws {
    let body = Fixtures.rsaPrivate.split(separator: "\n").dropFirst().first.map(String.init) ?? ""
    for change in [
      { $0.secret = Secret(Fixtures.rsaPrivate) }, { $0.publicKeyPEM = [Fixtures.rsaPrivate] },
      { $0.jwksURL = URL(string: "https://me:\(body.prefix(10))@id.example/") },
    ] as [(inout JWTSettings) -> Void] {
      let error = try #require(try await ConfigurationTests.error(change))
      #expect(!error.description.contains(body.prefix(10)))
      #expect(!String(reflecting: error).contains(body.prefix(10)))
    }
  }

  /// Collects what is logged.
  struct Collector: LogHandler {
    let lines: NIOLockedValueBox<[String]>
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.withLockedValue { $0.append("\(event.message) \(event.metadata ?? [:])") } }
  }

  @Test("The log names key sets by their setting, once for each change, without address and keys")
  func log() async throws {
    let lines = NIOLockedValueBox<[String]>([])
    let pauses = ManualPauses()
    try await KeySetServer.serve(Fixtures.jwks) { server in
      var settings = JWTSettings()
      settings.jwksURL = URL(string: server.address + "?key=sekrit")
      let logger = Logger(label: "test", factory: { _ in Collector(lines: lines) })
      let authenticator = try await JWTAuthenticator(
        settings, logger: logger, clock: { Tokens.now }, wait: { await pauses.wait($0) })
      await withThrowingTaskGroup(of: Void.self) { group in
        for service in authenticator.services { group.addTask { try await service.run() } }
        for status in [200, 200, 503, 503, 200] {
          server.respond { $0.status = .init(statusCode: status) }
          if status == 503 || server.count > 0 { await authenticator.reload() }
          _ = await pauses.next()
        }
        group.cancelAll()
      }
    }
    #expect(
      lines.withLockedValue { $0 } == [
        "NOTIFY_BRIDGE_AUTH_JWT_JWKS_URL has been read [:]",
        "NOTIFY_BRIDGE_AUTH_JWT_JWKS_URL is answered with status 503; the keys before it stay [:]",
        "NOTIFY_BRIDGE_AUTH_JWT_JWKS_URL has been read [:]",
      ])
  }
}
