import Crypto
import NotifyCore

/// The secret of HS256, HS384 and HS512.
///
/// By swift-crypto itself: jwt-kit asserts a key at least as long as the hash, which Django's `SECRET_KEY` of 50
/// characters is not for HS512.
struct HMACSecret: Sendable {
  private let key: SymmetricKey

  init(_ secret: Secret) { self.key = SymmetricKey(data: Array(secret.exposed.utf8)) }

  /// Whether the token was signed with this secret; compares in constant time.
  func signed(_ token: SignedToken) -> Bool {
    switch token.algorithm {
    case .hs256:
      HMAC<SHA256>.isValidAuthenticationCode(token.signature, authenticating: token.signed, using: key)
    case .hs384:
      HMAC<SHA384>.isValidAuthenticationCode(token.signature, authenticating: token.signed, using: key)
    case .hs512:
      HMAC<SHA512>.isValidAuthenticationCode(token.signature, authenticating: token.signed, using: key)
    default: false
    }
  }

  /// The HS256 signature of a text.
  func signature(of text: String) -> [UInt8] {
    Array(HMAC<SHA256>.authenticationCode(for: Array(text.utf8), using: key))
  }
}
