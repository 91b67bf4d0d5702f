import JWTKit

/// A public key of one of the kinds that tokens are verified with.
enum PublicKey: Sendable {
  case rsa(Insecure.RSA.PublicKey)
  case p256(ES256PublicKey)
  case p384(ES384PublicKey)
  case p521(ES512PublicKey)
  case ed25519(EdDSA.PublicKey)

  /// The algorithms that a key of this kind is for.
  var algorithms: [SignatureAlgorithm] {
    switch self {
    case .rsa: [.rs256, .rs384, .rs512, .ps256, .ps384, .ps512]
    case .p256: [.es256]
    case .p384: [.es384]
    case .p521: [.es512]
    case .ed25519: [.edDSA]
    }
  }

  /// Makes what verifies, one for each algorithm: a collection of jwt-kit's that held more would take the first
  /// whatever the token says.
  ///
  /// - Parameter only: the algorithm that the key was published for; nil for all of its kind.
  func verificationKeys(id: String?, only: SignatureAlgorithm?) async -> [VerificationKey] {
    var keys: [VerificationKey] = []
    for algorithm in algorithms where only == nil || only == algorithm {
      let collection = JWTKeyCollection()
      await add(to: collection, for: algorithm)
      guard let verifier = try? await collection.getKey() else { continue }
      keys.append(VerificationKey(id: id, algorithm: algorithm, verifier: verifier))
    }
    return keys
  }

  private func add(to collection: JWTKeyCollection, for algorithm: SignatureAlgorithm) async {
    switch (self, algorithm) {
    case (.rsa(let key), .rs256): await collection.add(rsa: key, digestAlgorithm: .sha256)
    case (.rsa(let key), .rs384): await collection.add(rsa: key, digestAlgorithm: .sha384)
    case (.rsa(let key), .rs512): await collection.add(rsa: key, digestAlgorithm: .sha512)
    case (.rsa(let key), .ps256): await collection.add(pss: key, digestAlgorithm: .sha256)
    case (.rsa(let key), .ps384): await collection.add(pss: key, digestAlgorithm: .sha384)
    case (.rsa(let key), .ps512): await collection.add(pss: key, digestAlgorithm: .sha512)
    case (.p256(let key), _): await collection.add(ecdsa: key)
    case (.p384(let key), _): await collection.add(ecdsa: key)
    case (.p521(let key), _): await collection.add(ecdsa: key)
    case (.ed25519(let key), _): await collection.add(eddsa: key)
    case (.rsa, _): break
    }
  }
}

/// A public key together with the one algorithm that it verifies here.
struct VerificationKey: Sendable {
  /// The key's `kid`; nil for a PEM, and for a JWK without.
  let id: String?
  let algorithm: SignatureAlgorithm
  private let verifier: any JWTAlgorithm

  init(id: String?, algorithm: SignatureAlgorithm, verifier: any JWTAlgorithm) {
    self.id = id
    self.algorithm = algorithm
    self.verifier = verifier
  }

  /// Whether the token was signed with this key; a signature of an impossible shape was not.
  func signed(_ token: SignedToken) -> Bool {
    guard token.algorithm == algorithm else { return false }
    return (try? verifier.verify(token.signature, signs: token.signed)) ?? false
  }
}
