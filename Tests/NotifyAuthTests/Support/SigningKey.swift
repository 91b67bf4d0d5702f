import COpenSSL
import Foundation

/// A private key that signs tokens, by libcrypto itself.
final class SigningKey: Sendable {
  // Only read after `init`.
  nonisolated(unsafe) private let key: OpaquePointer
  private let isElliptic: Bool

  /// A new P-256 key.
  static func p256() -> SigningKey {
    let context = EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nil)
    defer { EVP_PKEY_CTX_free(context) }
    var key: OpaquePointer?
    precondition(
      EVP_PKEY_keygen_init(context) == 1
        && EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context, NID_X9_62_prime256v1) == 1
        && EVP_PKEY_keygen(context, &key) == 1)
    return SigningKey(key)
  }

  /// The key of a PEM text without a password.
  convenience init(pem: String) {
    let bytes = Array(pem.utf8)
    let input = BIO_new_mem_buf(bytes, Int32(bytes.count))
    defer { BIO_free(input) }
    self.init(PEM_read_bio_PrivateKey(input, nil, nil, nil))
  }

  private init(_ key: OpaquePointer?) {
    guard let key else { preconditionFailure("not a private key") }
    self.key = key
    self.isElliptic = EVP_PKEY_get_base_id(key) == EVP_PKEY_EC
  }

  deinit { EVP_PKEY_free(key) }

  /// The signature by SHA-256, in the form of a JWS (RFC 7518 §3.3, §3.4).
  func sign(_ message: String) -> [UInt8] {
    let message = Array(message.utf8)
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    precondition(EVP_DigestSignInit(context, nil, EVP_sha256(), nil, key) == 1)
    var count = Int(EVP_PKEY_get_size(key))
    var signature = [UInt8](repeating: 0, count: count)
    precondition(EVP_DigestSign(context, &signature, &count, message, message.count) == 1)
    return isElliptic ? Self.numbers(signature, count) : Array(signature[..<count])
  }

  /// The two numbers of an ECDSA signature in DER, each 32 bytes long.
  private static func numbers(_ der: [UInt8], _ count: Int) -> [UInt8] {
    der.withUnsafeBufferPointer { bytes in
      var position = bytes.baseAddress
      let signature = d2i_ECDSA_SIG(nil, &position, count)
      defer { ECDSA_SIG_free(signature) }
      return padded(ECDSA_SIG_get0_r(signature)) + padded(ECDSA_SIG_get0_s(signature))
    }
  }

  private static func padded(_ number: OpaquePointer?) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
      count = Int(BN_bn2binpad(number, buffer.baseAddress, 32))
    }
  }

  /// The coordinates of a P-256 key's point.
  var coordinates: (x: [UInt8], y: [UInt8]) { (coordinate("qx"), coordinate("qy")) }

  private func coordinate(_ name: String) -> [UInt8] {
    var number: OpaquePointer?
    defer { BN_free(number) }
    precondition(EVP_PKEY_get_bn_param(key, name, &number) == 1)
    return Self.padded(number)
  }
}
