import Foundation
package import Logging
package import NotifyCore
package import ServiceLifecycle

/// Verifies JSON Web Tokens with the configured keys and rules.
///
/// The algorithm that a token names selects among the keys made for it: HMAC uses the secret, everything else a public key.
/// So neither `none` nor a public key's bytes as an HMAC secret (algorithm confusion) can pass.
package struct JWTAuthenticator: Authenticator {
  /// Warnings about working but unwise settings, each a line for the log at start and for `check`.
  package let warnings: [String]

  private let secret: HMACSecret?
  private let publicKeys: [VerificationKey]
  private let stores: [KeySetStore]
  private let rules: ClaimRules
  private let clock: @Sendable () -> Double

  /// Reads the keys of the settings. `jwksURL` is fetched by `services` once they run, a JWKS file is read here.
  ///
  /// - Parameters:
  ///   - settings: at least one key has to be set.
  ///   - previous: the authenticator that this one replaces. Where the address of the key set is the same, its keys stay
  ///     good until the services have fetched.
  ///   - logger: gets a line for each change of a key set, and for each new failure to read one.
  ///   - clock: seconds since 1970 UTC.
  ///   - wait: waits for the time until a key set is read again.
  /// - Throws: an error for the first setting that can't be used.
  package init(
    _ settings: JWTSettings, replacing previous: JWTAuthenticator? = nil, logger: Logger,
    clock: @escaping @Sendable () -> Double = { Date.now.timeIntervalSince1970 },
    wait: @escaping @Sendable (Duration) async throws -> Void = { try await Task.sleep(for: $0) }
  ) async throws(AuthConfigurationError) {
    try settings.validate()
    var publicKeys: [VerificationKey] = []
    for pem in settings.publicKeyPEM {
      for key in try PEMKeys.read(pem) { publicKeys += VerificationKey.all(of: key, id: nil, only: nil) }
    }
    var stores: [KeySetStore] = []
    var warnings = settings.warnings()
    let refresh = Duration.seconds(settings.jwksRefreshSeconds)
    if let path = settings.jwksFile {
      let store = KeySetStore(.file(path), refresh: refresh, logger: logger, clock: clock, wait: wait)
      warnings += try await Self.load(store)
      stores.append(store)
    }
    if let url = settings.jwksURL {
      let store = KeySetStore(.url(url), refresh: refresh, logger: logger, clock: clock, wait: wait)
      if let known = previous?.stores.first(where: store.hasAddress(of:)) { await store.takeKeys(of: known) }
      stores.append(store)
    }
    self.secret = settings.secret.map(HMACSecret.init)
    self.publicKeys = publicKeys
    self.stores = stores
    self.rules = ClaimRules(settings)
    self.clock = clock
    self.warnings = warnings
  }

  private static func load(_ store: KeySetStore) async throws(AuthConfigurationError) -> [String] {
    let remedy =
      "Put the issuer's JWKS there, with a key for signatures: RSA of 2048 bits or more, P-256, P-384, P-521, Ed25519."
    if let error = await store.readOnce() { throw AuthConfigurationError(.jwksFile, error.detail, remedy: remedy) }
    let leftOut = await store.leftOut()
    if leftOut.hasWeakKey {
      throw AuthConfigurationError(.jwksFile, "has an RSA key of fewer than 2048 bits", remedy: remedy)
    }
    return leftOut.warnings.map { "\(AuthSetting.jwksFile.rawValue): \($0)" }
  }

  /// The services that keep the key sets current; empty without key sets.
  package var services: [any Service] { stores }

  /// Makes the services read the key sets again at once, as after SIGHUP.
  package func reload() async {
    for store in stores { await store.want() }
  }

  /// Reads the key sets once, without the services: for `check`.
  ///
  /// - Returns: a line for each that can't be used.
  package func problems() async -> [String] {
    var lines: [String] = []
    for store in stores {
      if let error = await store.readOnce() { lines.append("\(store.setting.rawValue) \(error.detail)") }
    }
    return lines
  }

  package func verify(_ credential: Credential) async -> Verdict {
    switch credential {
    case .bearer(let text), .subprotocol(let text), .any(let text): await verify(text)
    case .token, .cookie: .rejected(.invalid, detail: "a JWT comes as Bearer, as subprotocol or as token=")
    }
  }

  private func verify(_ text: Secret) async -> Verdict {
    let token: SignedToken
    do { token = try SignedToken(text.exposed) } catch { return .rejected(.invalid, detail: error.detail) }
    if let refusal = token.algorithm.isSymmetric ? checkSecret(token) : await checkPublicKeys(token) { return refusal }
    return JSONValue.read(token.payload) { claims in
      guard let claims, claims.isObject else {
        return .rejected(.invalid, detail: "the token's payload is not a JSON object")
      }
      return rules.judge(claims, now: clock())
    }
  }

  private static let wrongSignature = "the token was signed with another key, or was changed"

  private func checkSecret(_ token: SignedToken) -> Verdict? {
    guard let secret else {
      return .rejected(
        .invalid,
        detail: "the token is signed with \(token.algorithm.rawValue), for which "
          + "\(AuthSetting.jwtSecret.rawValue) is not set")
    }
    return secret.signed(token) ? nil : .rejected(.invalid, detail: Self.wrongSignature)
  }

  private func checkPublicKeys(_ token: SignedToken) async -> Verdict? {
    let fixed = publicKeys.filter { $0.algorithm == token.algorithm }
    if Self.anyOf(fixed, signed: token) { return nil }

    var isKnown = !fixed.isEmpty
    var isStale = false
    for store in stores {
      var found = await store.find(token)
      if Self.anyOf(found.keys, signed: token) { return nil }
      if found.mayBeNew, await store.reread() {
        found = await store.find(token)
        if Self.anyOf(found.keys, signed: token) { return nil }
      }
      isKnown = isKnown || !found.keys.isEmpty
      isStale = isStale || found.mayBeNew && found.isStale
    }
    if isStale { return .unavailable(detail: "the key sets that may have the token's key can't be read just now") }
    guard !isKnown else { return .rejected(.invalid, detail: Self.wrongSignature) }
    if publicKeys.isEmpty, stores.isEmpty {
      return .rejected(
        .invalid,
        detail: "the token is signed with \(token.algorithm.rawValue), for which none of "
          + "\(JWTSettings.publicKeySettings) is set")
    }
    return .rejected(
      .invalid, detail: "no key for \(token.algorithm.rawValue) is the one that the token names")
  }

  private static func anyOf(_ keys: [VerificationKey], signed token: SignedToken) -> Bool {
    keys.prefix(Limits.keysTried).contains { $0.signed(token) }
  }
}
