internal import COpenSSL

/// Why bytes are not a public key that signatures can be verified with.
package enum PublicKeyError: Error, Equatable {
  /// Damaged, or with a point that is not on its curve.
  case malformed
  /// A key of another kind or curve.
  case unsupported
  /// An RSA key of fewer than 2048 bits.
  case weak
}

/// A public key of one of the kinds that tokens are signed with. Immutable, so any number of threads may use it.
package final class PublicKey: Sendable {
  package enum Kind: Sendable {
    case rsa, p256, p384, p521, ed25519
  }

  /// The bounds of an RSA key's modulus; a larger one makes verifying slow, and nobody signs with one.
  private static let rsaBits = 2_048...8_192
  /// The bits of an RSA key's exponent; it is 65537 everywhere, and a large one makes verifying slow.
  private static let rsaExponentBits = 2...33

  package let kind: Kind
  /// Only read, by libcrypto's functions that verify.
  nonisolated(unsafe) let pointer: OpaquePointer

  /// Reads a SubjectPublicKeyInfo (RFC 5280 §4.1), the DER of `PUBLIC KEY` in PEM.
  package convenience init(subjectPublicKeyInfo der: [UInt8]) throws(PublicKeyError) {
    try self.init(owning: Self.parse(der, free: EVP_PKEY_free) { d2i_PUBKEY(nil, &$0, $1) })
  }

  /// Reads an RSAPublicKey (RFC 8017 §A.1.1), the DER of `RSA PUBLIC KEY` in PEM.
  package convenience init(pkcs1 der: [UInt8]) throws(PublicKeyError) {
    try self.init(owning: Self.parse(der, free: EVP_PKEY_free) { d2i_PublicKey(EVP_PKEY_RSA, nil, &$0, $1) })
  }

  /// Takes the public key out of an X.509 certificate, whose dates and signature don't matter here.
  package convenience init(certificate der: [UInt8]) throws(PublicKeyError) {
    let certificate = Self.parse(der, free: X509_free) { d2i_X509(nil, &$0, $1) }
    defer { X509_free(certificate) }
    try self.init(owning: certificate.flatMap { X509_get_pubkey($0) })
  }

  /// Makes an RSA key of its numbers, big-endian (RFC 7518 §6.3.1).
  package convenience init(modulus: [UInt8], exponent: [UInt8]) throws(PublicKeyError) {
    try self.init(pkcs1: DER.sequence(DER.integer(modulus) + DER.integer(exponent)))
  }

  /// Makes a key of a point's coordinates, each as long as the curve's field (RFC 7518 §6.2.1).
  package convenience init(curve: Curve, x: [UInt8], y: [UInt8]) throws(PublicKeyError) {
    guard x.count == curve.bytes, y.count == curve.bytes else { throw .malformed }
    let algorithm = DER.sequence(DER.ecPublicKey + curve.objectIdentifier)
    try self.init(subjectPublicKeyInfo: DER.sequence(algorithm + DER.bitString([0x04] + x + y)))
  }

  /// Makes an Ed25519 key of its 32 bytes (RFC 8032 §5.1.5).
  package convenience init(ed25519 bytes: [UInt8]) throws(PublicKeyError) {
    try self.init(owning: EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count))
  }

  /// Takes over libcrypto's key, or none where it could not be read.
  private init(owning key: OpaquePointer?) throws(PublicKeyError) {
    guard let key else {
      ERR_clear_error()
      throw .malformed
    }
    do throws(PublicKeyError) {
      self.kind = try Self.kind(of: key)
      self.pointer = key
    } catch {
      EVP_PKEY_free(key)
      throw error
    }
  }

  deinit { EVP_PKEY_free(pointer) }

  /// Reads all of a DER text by one of libcrypto's functions; nil where it is another, or longer.
  private static func parse(
    _ der: [UInt8], free: (OpaquePointer?) -> Void, _ read: (inout UnsafePointer<UInt8>?, Int) -> OpaquePointer?
  ) -> OpaquePointer? {
    der.withUnsafeBufferPointer { bytes in
      var position = bytes.baseAddress
      let value = read(&position, bytes.count)
      if position == bytes.baseAddress.map({ $0 + bytes.count }) { return value }
      free(value)
      return nil
    }
  }

  private static func kind(of key: OpaquePointer) throws(PublicKeyError) -> Kind {
    switch EVP_PKEY_get_base_id(key) {
    case EVP_PKEY_RSA:
      let bits = Int(EVP_PKEY_get_bits(key))
      guard bits >= rsaBits.lowerBound else { throw .weak }
      guard bits <= rsaBits.upperBound, hasSoundExponent(key) else { throw .malformed }
      return .rsa
    case EVP_PKEY_EC:
      guard let kind = Curve(of: key)?.kind else { throw .unsupported }
      return kind
    case EVP_PKEY_ED25519: return .ed25519
    default: throw .unsupported
    }
  }

  /// An exponent of 1 would take any padded text for its own signature.
  private static func hasSoundExponent(_ key: OpaquePointer) -> Bool {
    var exponent: OpaquePointer?
    defer { BN_free(exponent) }
    guard EVP_PKEY_get_bn_param(key, "e", &exponent) == 1, let exponent else { return false }
    return BN_is_odd(exponent) == 1 && rsaExponentBits.contains(Int(BN_num_bits(exponent)))
  }
}
