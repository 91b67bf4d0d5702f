import NotifyCrypto

/// A public key together with the one algorithm that it verifies here, so that no token chooses another.
struct VerificationKey: Sendable {
  /// The key's `kid`; nil for a PEM, and for a JWK without.
  let id: String?
  let algorithm: SignatureAlgorithm
  private let scheme: SignatureScheme
  private let key: PublicKey

  /// Makes what verifies, one for each algorithm that the key may be used with.
  ///
  /// - Parameter only: the algorithm that the key was published for; nil for all of its kind.
  static func all(of key: PublicKey, id: String?, only: SignatureAlgorithm?) -> [VerificationKey] {
    SignatureAlgorithm.allCases.compactMap { algorithm in
      guard let (kind, scheme) = algorithm.publicKey, kind == key.kind, only == nil || only == algorithm else {
        return nil
      }
      return VerificationKey(id: id, algorithm: algorithm, scheme: scheme, key: key)
    }
  }

  /// Whether the token was signed with this key; a signature of an impossible shape was not.
  func signed(_ token: SignedToken) -> Bool {
    token.algorithm == algorithm && key.verifies(token.signature, of: token.signed, by: scheme)
  }
}

extension SignatureAlgorithm {
  /// The kind of public key that verifies it, and how; nil for HMAC.
  fileprivate var publicKey: (kind: PublicKey.Kind, scheme: SignatureScheme)? {
    switch self {
    case .hs256, .hs384, .hs512: nil
    case .rs256: (.rsa, .rsa(.sha256))
    case .rs384: (.rsa, .rsa(.sha384))
    case .rs512: (.rsa, .rsa(.sha512))
    case .ps256: (.rsa, .rsaPSS(.sha256))
    case .ps384: (.rsa, .rsaPSS(.sha384))
    case .ps512: (.rsa, .rsaPSS(.sha512))
    case .es256: (.p256, .ecdsa(.sha256))
    case .es384: (.p384, .ecdsa(.sha384))
    case .es512: (.p521, .ecdsa(.sha512))
    case .edDSA: (.ed25519, .ed25519)
    }
  }
}
