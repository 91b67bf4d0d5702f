import NotifyCore
import NotifyCrypto

/// The secret of HS256, HS384 and HS512. It may be shorter than the hash, as Django's `SECRET_KEY` is for HS512.
struct HMACSecret: Sendable {
  private let hs256: HMACKey
  private let hs384: HMACKey
  private let hs512: HMACKey

  init(_ secret: Secret) {
    let key = Array(secret.exposed.utf8)
    hs256 = HMACKey(key, hash: .sha256)
    hs384 = HMACKey(key, hash: .sha384)
    hs512 = HMACKey(key, hash: .sha512)
  }

  /// Whether the token was signed with this secret; compares in constant time.
  func signed(_ token: SignedToken) -> Bool {
    switch token.algorithm {
    case .hs256: hs256.isValid(token.signature, for: token.signed)
    case .hs384: hs384.isValid(token.signature, for: token.signed)
    case .hs512: hs512.isValid(token.signature, for: token.signed)
    default: false
    }
  }

  /// The HS256 signature of a text.
  func signature(of text: String) -> [UInt8] { hs256.code(for: text.utf8) }
}
