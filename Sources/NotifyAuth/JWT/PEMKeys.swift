import Foundation
import JWTKit

/// Reads public keys and certificates out of PEM texts.
enum PEMKeys {
  private static let advice = "Make it with: openssl pkey -in private.pem -pubout -out public.pem"

  /// Reads every key of a text, which has to have one at least.
  static func read(_ text: String) throws(AuthConfigurationError) -> [PublicKey] {
    var keys: [PublicKey] = []
    for block in try blocks(text) { keys.append(try key(block)) }
    guard !keys.isEmpty else { throw error("holds no PEM; allowed are public keys and certificates") }
    return keys
  }

  /// One `-----BEGIN …-----` to `-----END …-----`.
  private struct Block {
    let label: String
    let pem: String
    let der: [UInt8]
  }

  private static func error(_ problem: String, remedy: String = advice) -> AuthConfigurationError {
    AuthConfigurationError(.jwtPublicKeyFile, problem, remedy: remedy)
  }

  private static func blocks(_ text: String) throws(AuthConfigurationError) -> [Block] {
    var blocks: [Block] = []
    var label: String?
    var lines: [String] = []
    for line in text.split(whereSeparator: \.isNewline).map({ $0.trimmingCharacters(in: .whitespaces) }) {
      if line.hasPrefix("-----BEGIN "), line.hasSuffix("-----") {
        label = String(line.dropFirst(11).dropLast(5))
        lines = []
      } else if let current = label, line == "-----END \(current)-----" {
        guard let der = Data(base64Encoded: lines.joined()) else { throw error("a PEM in it is not base64") }
        let pem = (["-----BEGIN \(current)-----"] + lines + ["-----END \(current)-----"]).joined(separator: "\n")
        blocks.append(Block(label: current, pem: pem, der: Array(der)))
        label = nil
      } else if label != nil {
        lines.append(line)
      }
    }
    guard label == nil else { throw error("a PEM in it has no end") }
    return blocks
  }

  private static func key(_ block: Block) throws(AuthConfigurationError) -> PublicKey {
    switch block.label {
    case "PUBLIC KEY": return try subjectPublicKey(block)
    case "RSA PUBLIC KEY": return try rsa(block)
    case "CERTIFICATE": return try certificate(block)
    case let label where label.hasSuffix("PRIVATE KEY"):
      throw error("holds a private key; allowed are public keys and certificates")
    default: throw error("holds a PEM of another kind; allowed are PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE")
    }
  }

  /// A SubjectPublicKeyInfo begins with its algorithm's object identifier.
  private static func subjectPublicKey(_ block: Block) throws(AuthConfigurationError) -> PublicKey {
    let head = block.der.prefix(40)
    if head.contains([0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x01, 0x01]) { return try rsa(block) }
    let key: PublicKey? =
      if head.contains([0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]) {
        (try? ES256PublicKey(pem: block.pem)).map(PublicKey.p256)
      } else if head.contains([0x2B, 0x81, 0x04, 0x00, 0x22]) {
        (try? ES384PublicKey(pem: block.pem)).map(PublicKey.p384)
      } else if head.contains([0x2B, 0x81, 0x04, 0x00, 0x23]) {
        (try? ES512PublicKey(pem: block.pem)).map(PublicKey.p521)
      } else if head.contains([0x2B, 0x65, 0x70]) {
        (try? EdDSA.PublicKey(pem: block.pem)).map(PublicKey.ed25519)
      } else {
        nil
      }
    guard let key else {
      throw error("holds a damaged key or one of another kind; allowed are RSA, P-256, P-384, P-521 and Ed25519")
    }
    return key
  }

  private static func rsa(_ block: Block) throws(AuthConfigurationError) -> PublicKey {
    if let key = try? Insecure.RSA.PublicKey(pem: block.pem) { return .rsa(key) }
    // The modulus alone is 256 bytes at 2048 bits.
    guard block.der.count >= 256 else {
      throw error("holds an RSA key of fewer than 2048 bits", remedy: "Sign with a key of 2048 bits or more.")
    }
    throw error("holds a damaged RSA key")
  }

  private static func certificate(_ block: Block) throws(AuthConfigurationError) -> PublicKey {
    if let key = try? Insecure.RSA.PublicKey(certificatePEM: block.pem) { return .rsa(key) }
    if let key = try? ES256PublicKey(certificate: block.pem) { return .p256(key) }
    if let key = try? ES384PublicKey(certificate: block.pem) { return .p384(key) }
    if let key = try? ES512PublicKey(certificate: block.pem) { return .p521(key) }
    throw error(
      "holds a damaged certificate, or one for a key other than RSA of 2048 bits or more, P-256, P-384 and P-521",
      remedy: "Take its public key: openssl x509 -in certificate.pem -pubkey -noout")
  }
}
