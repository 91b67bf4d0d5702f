import JWTKit

/// Why a key of a set is left out.
enum JSONWebKeyError: Error, Equatable {
  case malformed, weak, symmetric

  var detail: String {
    switch self {
    case .malformed: "it is damaged, or of another curve"
    case .weak: "it is an RSA key of fewer than 2048 bits"
    case .symmetric: "it is a symmetric key, which belongs into \(AuthSetting.jwtSecret.rawValue)"
    }
  }
}

/// A key of a JWKS (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).
///
/// Read here and not by jwt-kit's `JWK`, for which one key of a kind unknown to it, as issuers publish for encryption,
/// spoils the whole set.
struct JSONWebKey {
  let id: String?
  /// The one algorithm that the key is for; nil for all of its kind.
  let algorithm: SignatureAlgorithm?
  let key: PublicKey

  /// Reads a key; nil where it is for something other than verifying signatures.
  init?(_ value: JSONValue) throws(JSONWebKeyError) {
    guard let fields = value.object, let kind = fields["kty"]?.string else { throw .malformed }
    if let use = fields["use"], use != .string("sig") { return nil }
    if let operations = fields["key_ops"]?.array, !operations.contains(.string("verify")) { return nil }
    switch fields["alg"] {
    case nil: self.algorithm = nil
    case .string(let name):
      // An algorithm of encryption, or one that is still to come.
      guard let algorithm = SignatureAlgorithm(named: name) else { return nil }
      self.algorithm = algorithm
    default: throw .malformed
    }
    switch fields["kid"] {
    case nil: self.id = nil
    case .string(let id): self.id = id
    default: throw .malformed
    }

    func text(_ name: String) throws(JSONWebKeyError) -> String {
      guard let text = fields[name]?.string else { throw .malformed }
      return text
    }
    switch kind {
    case "RSA":
      let modulus = try text("n")
      guard let number = Base64URL.decode(ArraySlice(Array(modulus.utf8))) else { throw .malformed }
      guard Self.bits(number) >= 2_048 else { throw .weak }
      guard let key = try? Insecure.RSA.PublicKey(modulus: modulus, exponent: text("e")) else { throw .malformed }
      self.key = .rsa(key)
    case "EC": self.key = try Self.elliptic(curve: text("crv"), x: text("x"), y: text("y"))
    case "OKP":
      guard fields["crv"] == .string("Ed25519") else { return nil }
      guard let key = try? EdDSA.PublicKey(x: text("x"), curve: .ed25519) else { throw .malformed }
      self.key = .ed25519(key)
    case "oct": throw .symmetric
    default: return nil
    }
  }

  /// The bits of a big-endian number.
  private static func bits(_ number: [UInt8]) -> Int {
    let significant = number.drop { $0 == 0 }
    return significant.count * 8 - (significant.first?.leadingZeroBitCount ?? 0)
  }

  private static func elliptic(curve: String, x: String, y: String) throws(JSONWebKeyError) -> PublicKey {
    let key: PublicKey? =
      switch curve {
      case "P-256": (try? ES256PublicKey(parameters: (x, y))).map(PublicKey.p256)
      case "P-384": (try? ES384PublicKey(parameters: (x, y))).map(PublicKey.p384)
      case "P-521": (try? ES512PublicKey(parameters: (x, y))).map(PublicKey.p521)
      default: nil
      }
    guard let key else { throw .malformed }
    return key
  }
}
