import NotifyCore

/// What a token whose signature is right has to say: a value, with the time as an argument.
struct ClaimRules: Sendable {
  /// The claims that may name the user; the first one present does.
  let userClaims: [String]
  let audience: [String]?
  let issuer: String?
  let leeway: Double

  init(_ settings: JWTSettings) {
    self.userClaims = settings.userClaim.map { [$0] } ?? ["user_id", "sub"]
    self.audience = settings.audience
    self.issuer = settings.issuer
    self.leeway = Double(settings.leewaySeconds)
  }

  /// Judges the claims. `expired` is the answer only where all else is right: a new token would be accepted.
  func judge(_ claims: [String: JSONValue], now: Double) -> Verdict {
    do throws(TokenError) {
      let user = try user(claims)
      let expires = try expiry(claims)
      if let type = claims["token_type"], type != .string("access") {
        throw TokenError(detail: "the token's token_type is not access")
      }
      try checkStart(claims, now: now)
      try checkAudience(claims)
      try checkIssuer(claims)
      guard now < expires else { return .rejected(.expired, detail: "the token has expired") }
      return .accepted(Identity(user: user, expires: expires))
    } catch {
      return .rejected(.invalid, detail: error.detail)
    }
  }

  /// A number and a string that read the same are the same user.
  private func user(_ claims: [String: JSONValue]) throws(TokenError) -> UserID {
    guard let name = userClaims.first(where: { claims[$0] != nil }), let value = claims[name] else {
      throw TokenError(
        detail: "the token has no claim \(userClaims.joined(separator: " or ")): "
          + "\(AuthSetting.jwtUserClaim.rawValue) names another")
    }
    switch value {
    case .integer(let number): return UserID(number)
    case .string(let text):
      // PostgreSQL's text holds no NUL, and the other control characters are no part of an id either.
      guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }), let user = UserID(text)
      else {
        throw TokenError(
          detail: "the token's \(name) is empty, longer than \(Limits.userIDBytes) bytes or has control characters")
      }
      return user
    default: throw TokenError(detail: "the token's \(name) is neither a whole number nor a string")
    }
  }

  /// The second at which access ends, the leeway included.
  private func expiry(_ claims: [String: JSONValue]) throws(TokenError) -> Double {
    guard let value = claims["exp"] else { throw TokenError(detail: "the token has no exp") }
    guard let seconds = value.double else { throw TokenError(detail: "the token's exp is not a number") }
    guard seconds <= Limits.latestExpiry else {
      throw TokenError(detail: "the token's exp is after the year 9999: is it in milliseconds?")
    }
    return seconds + leeway
  }

  private func checkStart(_ claims: [String: JSONValue], now: Double) throws(TokenError) {
    guard let value = claims["nbf"] else { return }
    guard let seconds = value.double else { throw TokenError(detail: "the token's nbf is not a number") }
    guard seconds <= now + leeway else {
      throw TokenError(
        detail: "the token's nbf is in the future: set the clocks, or \(AuthSetting.jwtLeewaySeconds.rawValue)")
    }
  }

  private func checkAudience(_ claims: [String: JSONValue]) throws(TokenError) {
    guard let audience else { return }
    let named: [JSONValue]
    switch claims["aud"] {
    case .string(let one): named = [.string(one)]
    case .array(let several): named = several
    default: throw TokenError(detail: "the token has no aud, which \(AuthSetting.jwtAudience.rawValue) asks for")
    }
    guard named.allSatisfy({ $0.string != nil }), named.contains(where: { $0.string.map(audience.contains) == true })
    else { throw TokenError(detail: "the token's aud is not \(AuthSetting.jwtAudience.rawValue)'s") }
  }

  private func checkIssuer(_ claims: [String: JSONValue]) throws(TokenError) {
    guard let issuer else { return }
    guard claims["iss"] == .string(issuer) else {
      throw TokenError(detail: "the token's iss is not \(AuthSetting.jwtIssuer.rawValue)'s")
    }
  }
}
