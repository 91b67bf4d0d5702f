/// The signature algorithms of tokens (RFC 7518, RFC 8037). `none` is not supported.
enum SignatureAlgorithm: String, Sendable, CaseIterable {
  case hs256 = "HS256"
  case hs384 = "HS384"
  case hs512 = "HS512"
  case rs256 = "RS256"
  case rs384 = "RS384"
  case rs512 = "RS512"
  case ps256 = "PS256"
  case ps384 = "PS384"
  case ps512 = "PS512"
  case es256 = "ES256"
  case es384 = "ES384"
  case es512 = "ES512"
  case edDSA = "EdDSA"

  /// Finds the algorithm that a header or a JWK names, in exactly its spelling.
  init?(named name: String) {
    // RFC 9864 names EdDSA by its curve.
    self.init(rawValue: name == "Ed25519" ? "EdDSA" : name)
  }

  /// Whether the key that verifies can sign as well.
  var isSymmetric: Bool {
    switch self {
    case .hs256, .hs384, .hs512: true
    default: false
    }
  }
}
