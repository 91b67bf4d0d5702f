import Foundation
import NotifyCrypto

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
        blocks.append(Block(label: current, der: Array(der)))
        label = nil
      } else if label != nil {
        lines.append(line)
      }
    }
    guard label == nil else { throw error("a PEM in it has no end") }
    return blocks
  }

  private static func key(_ block: Block) throws(AuthConfigurationError) -> PublicKey {
    do throws(PublicKeyError) {
      switch block.label {
      case "PUBLIC KEY": return try PublicKey(subjectPublicKeyInfo: block.der)
      case "RSA PUBLIC KEY": return try PublicKey(pkcs1: block.der)
      case "CERTIFICATE": return try PublicKey(certificate: block.der)
      default: break
      }
    } catch {
      throw refusal(block.label, error)
    }
    throw block.label.hasSuffix("PRIVATE KEY")
      ? error("holds a private key; allowed are public keys and certificates")
      : error("holds a PEM of another kind; allowed are PUBLIC KEY, RSA PUBLIC KEY and CERTIFICATE")
  }

  private static func refusal(_ label: String, _ reason: PublicKeyError) -> AuthConfigurationError {
    if reason == .weak {
      return error("holds an RSA key of fewer than 2048 bits", remedy: "Sign with a key of 2048 bits or more.")
    }
    let thing = label == "CERTIFICATE" ? "certificate" : "key"
    let allowed = "allowed are RSA, P-256, P-384, P-521 and Ed25519"
    return reason == .malformed
      ? error("holds a damaged \(thing)") : error("holds a \(thing) of another kind; \(allowed)")
  }
}
