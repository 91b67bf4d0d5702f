import NotifyCore
import NotifyCrypto

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
struct JSONWebKey {
  let id: String?
  /// The one algorithm that the key is for; nil for all of its kind.
  let algorithm: SignatureAlgorithm?
  let key: PublicKey

  /// Reads a key; nil where it is for something other than verifying signatures.
  init?(_ fields: JSONValue) throws(JSONWebKeyError) {
    func text(_ name: String) throws(JSONWebKeyError) -> String {
      guard let text = fields[name]?.string else { throw .malformed }
      return text
    }
    func bytes(_ name: String) throws(JSONWebKeyError) -> [UInt8] {
      guard let bytes = Base64URL.decode(ArraySlice(try text(name).utf8)) else { throw .malformed }
      return bytes
    }
    let kind = try text("kty")
    if let use = fields["use"], use.string != "sig" { return nil }
    if let operations = fields["key_ops"]?.elements, !operations.contains(where: { $0.string == "verify" }) {
      return nil
    }
    id = fields["kid"] == nil ? nil : try text("kid")
    algorithm = fields["alg"] == nil ? nil : SignatureAlgorithm(named: try text("alg"))
    // An algorithm of encryption, or one that is still to come.
    if fields["alg"] != nil, algorithm == nil { return nil }
    switch kind {
    case "RSA": self.key = try Self.rsa(modulus: bytes("n"), exponent: bytes("e"))
    case "EC":
      guard let curve = Curve(rawValue: try text("crv")),
        let key = try? PublicKey(curve: curve, x: bytes("x"), y: bytes("y"))
      else { throw .malformed }
      self.key = key
    case "OKP":
      guard fields["crv"]?.string == "Ed25519" else { return nil }
      guard let key = try? PublicKey(ed25519: bytes("x")) else { throw .malformed }
      self.key = key
    case "oct": throw .symmetric
    default: return nil
    }
  }

  private static func rsa(modulus: [UInt8], exponent: [UInt8]) throws(JSONWebKeyError) -> PublicKey {
    do throws(PublicKeyError) {
      return try PublicKey(modulus: modulus, exponent: exponent)
    } catch {
      throw error == .weak ? .weak : .malformed
    }
  }
}
