import Foundation
import NotifyAuth
import NotifyCore

/// Tokens for testing.
enum Token {
  /// Makes a token that a bridge with the same settings accepts.
  static func make(_ user: String, seconds: Int, _ settings: Settings) throws -> Secret {
    guard let user = UserID(user) else { throw CommandFailure("that is not a user id", status: .usage) }
    let issuer = try TokenIssuer(settings.jwt)
    return issuer.token(for: user, seconds: seconds, now: Date().timeIntervalSince1970)
  }
}
