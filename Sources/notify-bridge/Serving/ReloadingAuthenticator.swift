import Foundation
import Logging
import NotifyAuth
import NotifyCore
import ServiceLifecycle
import Synchronization

/// The logins, which SIGHUP replaces while connections come.
final class ReloadingAuthenticator: Authenticator, Service {
  /// One set of keys and rules, until a reload replaces it.
  private struct LoginMethods: Sendable {
    let services: [any Service]
    let jwt: JWTAuthenticator?
    let router: CredentialRouter
    let warnings: [String]
    /// What decides on a credential, apart from what the database and the issuer's address say.
    let rules: LoginRules

    init(
      _ settings: Settings, replacing previous: LoginMethods? = nil, lookup: any CredentialLookup, logger: Logger
    ) async throws {
      var router = CredentialRouter()
      var jwt: JWTAuthenticator?
      let jwtSettings = try settings.jwtWithKeyFile()
      rules = LoginRules(settings, jwtSettings)
      if settings.hasJWT {
        jwt = try await JWTAuthenticator(jwtSettings, replacing: previous?.jwt, logger: logger)
        router.jwt = jwt.map { ActiveUserAuthenticator($0, lookup: lookup) }
      }
      if settings.django.secretKey != nil {
        router.session = try DjangoSessionAuthenticator(settings.django, lookup: lookup)
      }
      if settings.acceptsDRFTokens { router.token = DRFTokenAuthenticator(lookup: lookup) }
      // Always on: only a role or a service with that right can issue a ticket.
      router.ticket = ActiveUserAuthenticator(TicketAuthenticator(lookup: lookup), lookup: lookup)
      services = jwt?.services ?? []
      warnings = jwt?.warnings ?? []
      self.jwt = jwt
      self.router = router
    }
  }

  /// Two of them differ where a credential may be good by one and not by the other.
  private struct LoginRules: Equatable {
    let jwt: JWTSettings
    let keySet: [UInt8]?
    let django: DjangoSettings
    let acceptsDRFTokens: Bool

    init(_ settings: Settings, _ jwt: JWTSettings) {
      self.jwt = jwt
      keySet = jwt.jwksFile.flatMap { FileManager.default.contents(atPath: $0) }.map(Array.init)
      django = settings.django
      acceptsDRFTokens = settings.acceptsDRFTokens
    }
  }

  private let current: Mutex<LoginMethods>
  private let lookup: any CredentialLookup
  private let logger: Logger
  private let replacements: AsyncStream<LoginMethods>
  private let continuation: AsyncStream<LoginMethods>.Continuation

  /// - Throws: a configuration error for the first setting that can't be used.
  init(_ settings: Settings, lookup: any CredentialLookup, logger: Logger) async throws {
    let first = try await LoginMethods(settings, lookup: lookup, logger: logger)
    for warning in first.warnings { logger.warning("\(warning)") }
    self.lookup = lookup
    self.logger = logger
    current = Mutex(first)
    (replacements, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
  }

  func verify(_ credential: Credential) async -> Verdict {
    let router = current.withLock { $0.router }
    return await router.verify(credential)
  }

  /// Reads key files again. The current keys stay in use.
  ///
  /// `run()` fetches key sets again. Where the address is unchanged, the keys that it gave stay good until then.
  ///
  /// - Returns: replaces the current keys; and whether a credential that was good may be none now.
  /// - Throws: a configuration error.
  func load(_ settings: Settings) async throws -> (use: @Sendable () -> Void, isChange: Bool) {
    let previous = current.withLock { $0 }
    let next = try await LoginMethods(settings, replacing: previous, lookup: lookup, logger: logger)
    let use: @Sendable () -> Void = { [self] in
      current.withLock { $0 = next }
      continuation.yield(next)
    }
    return (use, next.rules != previous.rules)
  }

  /// Keeps key sets current, until graceful shutdown.
  func run() async throws {
    await cancelWhenGracefulShutdown { [self] in
      var next: LoginMethods? = current.withLock { $0 }
      while let methods = next { next = await run(methods) }
    }
  }

  /// Runs the services of one set of methods until the next replaces it.
  private func run(_ methods: LoginMethods) async -> LoginMethods? {
    await withTaskGroup(of: LoginMethods?.self) { group in
      for service in methods.services {
        group.addTask { [logger] in
          do {
            try await service.run()
          } catch  where !(error is CancellationError) {
            logger.error("keys are no longer refreshed", metadata: [LogKey.detail: "\(error)"])
          } catch {}
          return nil
        }
      }
      group.addTask { [replacements] in
        var iterator = replacements.makeAsyncIterator()
        return await iterator.next()
      }
      for await result in group {
        if let result {
          group.cancelAll()
          return result
        }
        if Task.isCancelled { return nil }
      }
      return nil
    }
  }
}
