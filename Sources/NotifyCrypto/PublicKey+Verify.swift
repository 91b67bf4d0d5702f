internal import COpenSSL

/// How something was signed.
package enum SignatureScheme: Sendable {
  /// RSASSA-PKCS1-v1_5 (RFC 8017 §8.2).
  case rsa(HashFunction)
  /// RSASSA-PSS (RFC 8017 §8.1) with a salt as long as the digest, as RFC 7518 §3.5 asks.
  case rsaPSS(HashFunction)
  /// ECDSA whose signature is its two numbers, each as long as the curve's field (RFC 7518 §3.4).
  case ecdsa(HashFunction)
  /// Ed25519 (RFC 8032).
  case ed25519
}

extension PublicKey {
  /// Whether a message was signed with this key; a scheme for another kind of key, or a signature of an impossible
  /// shape, says no.
  package func verifies(_ signature: [UInt8], of message: some Collection<UInt8>, by scheme: SignatureScheme) -> Bool {
    let message = Array(message)
    switch (scheme, kind) {
    case (.rsa(let hash), .rsa):
      return verify(signature, message, hash) { EVP_PKEY_CTX_set_rsa_padding($0, RSA_PKCS1_PADDING) == 1 }
    case (.rsaPSS(let hash), .rsa):
      return verify(signature, message, hash) {
        EVP_PKEY_CTX_set_rsa_padding($0, RSA_PKCS1_PSS_PADDING) == 1
          && EVP_PKEY_CTX_set_rsa_pss_saltlen($0, RSA_PSS_SALTLEN_DIGEST) == 1
      }
    case (.ecdsa(let hash), .p256): return verifyECDSA(signature, message, hash, .p256)
    case (.ecdsa(let hash), .p384): return verifyECDSA(signature, message, hash, .p384)
    case (.ecdsa(let hash), .p521): return verifyECDSA(signature, message, hash, .p521)
    case (.ed25519, .ed25519): return verify(signature, message, nil) { _ in true }
    default: return false
    }
  }

  /// - Parameter prepare: sets what the scheme needs; whether that worked.
  private func verify(
    _ signature: [UInt8], _ message: [UInt8], _ hash: HashFunction?, _ prepare: (OpaquePointer?) -> Bool
  ) -> Bool {
    let context = EVP_MD_CTX_new()
    defer { EVP_MD_CTX_free(context) }
    // Belongs to `context`.
    var keyContext: OpaquePointer?
    let isValid =
      EVP_DigestVerifyInit_ex(context, &keyContext, hash?.cName, nil, nil, pointer, nil) == 1 && prepare(keyContext)
      && EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
    // A thread's errors would be taken for those of its next use of libcrypto.
    if !isValid { ERR_clear_error() }
    return isValid
  }

  /// libcrypto takes the two numbers in DER.
  private func verifyECDSA(_ signature: [UInt8], _ message: [UInt8], _ hash: HashFunction, _ curve: Curve) -> Bool {
    guard signature.count == 2 * curve.bytes else { return false }
    let numbers = DER.integer(Array(signature[..<curve.bytes])) + DER.integer(Array(signature[curve.bytes...]))
    return verify(DER.sequence(numbers), message, hash) { _ in true }
  }
}
