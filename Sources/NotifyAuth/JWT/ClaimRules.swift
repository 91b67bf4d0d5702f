import NotifyCore

/// The rules for the claims of a token with a valid signature: a value, with the time as an argument.
struct ClaimRules: Sendable {
  /// The claims that may name the user; the first one present counts.
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

  /// Judges the claims. The verdict is `expired` only where everything else is right: a new token would be accepted.
  func judge(_ claims: JSONValue, now: Double) -> Verdict {
    do throws(TokenError) {
      let user = try user(claims)
      let expires = try expiry(claims)
      if let type = claims["token_type"], type.string != "access" {
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

  private func user(_ claims: JSONValue) throws(TokenError) -> UserID {
    for name in userClaims {
      guard let value = claims[name] else { continue }
      guard let user = UserID(value) else {
        throw TokenError(
          detail: "the token's \(name) is neither a whole number nor a string of 1 to \(Limits.userIDBytes) bytes "
            + "without control characters")
      }
      return user
    }
    throw TokenError(
      detail: "the token has no claim \(userClaims.joined(separator: " or ")): "
        + "\(AuthSetting.jwtUserClaim.rawValue) names another")
  }

  /// The second at which access ends, the leeway included.
  private func expiry(_ claims: JSONValue) throws(TokenError) -> Double {
    guard let value = claims["exp"] else { throw TokenError(detail: "the token has no exp") }
    guard let seconds = value.double else { throw TokenError(detail: "the token's exp is not a number") }
    guard seconds <= Limits.latestExpiry else {
      throw TokenError(detail: "the token's exp is after the year 9999: is it in milliseconds?")
    }
    return seconds + leeway
  }

  private func checkStart(_ claims: JSONValue, now: Double) throws(TokenError) {
    guard let value = claims["nbf"] else { return }
    guard let seconds = value.double else { throw TokenError(detail: "the token's nbf is not a number") }
    guard seconds <= now + leeway else {
      throw TokenError(
        detail: "the token's nbf is in the future: set the clocks, or \(AuthSetting.jwtLeewaySeconds.rawValue)")
    }
  }

  private func checkAudience(_ claims: JSONValue) throws(TokenError) {
    guard let audience else { return }
    let value = claims["aud"]
    guard let named = value?.string.map({ [$0] }) ?? value?.elements?.map(\.string) else {
      throw TokenError(detail: "the token has no aud, which \(AuthSetting.jwtAudience.rawValue) asks for")
    }
    guard !named.contains(nil), named.contains(where: { $0.map(audience.contains) == true }) else {
      throw TokenError(detail: "the token's aud is not \(AuthSetting.jwtAudience.rawValue)'s")
    }
  }

  private func checkIssuer(_ claims: JSONValue) throws(TokenError) {
    guard let issuer else { return }
    guard claims["iss"]?.string == issuer else {
      throw TokenError(detail: "the token's iss is not \(AuthSetting.jwtIssuer.rawValue)'s")
    }
  }
}
