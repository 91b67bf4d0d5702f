internal import COpenSSL

/// A key of HMAC (RFC 2104) with one hash function.
package final class HMACKey: Sendable {
  private static let algorithm = Algorithm()

  private struct Algorithm: Sendable {
    /// Fetched once, never written to, nor freed.
    nonisolated(unsafe) let mac: OpaquePointer

    init() {
      guard let mac = EVP_MAC_fetch(nil, "HMAC", nil) else { preconditionFailure("libcrypto has no HMAC") }
      self.mac = mac
    }
  }

  private let hash: HashFunction
  /// The state with the key in it. It is never written to again: each code is made by a copy.
  nonisolated(unsafe) private let keyed: OpaquePointer

  package init(_ key: [UInt8], hash: HashFunction) {
    guard let context = EVP_MAC_CTX_new(Self.algorithm.mac) else { preconditionFailure("out of memory") }
    // HMAC fills a key up with zeros, so an empty one is a zero; libcrypto takes no empty one.
    let key = key.isEmpty ? [0] : key
    let status = "digest".withCString { name in
      let parameters = [
        OSSL_PARAM_construct_utf8_string(name, UnsafeMutablePointer(mutating: hash.cName), 0),
        OSSL_PARAM_construct_end(),
      ]
      return EVP_MAC_init(context, key, key.count, parameters)
    }
    precondition(status == 1, "libcrypto can't make an HMAC with \(hash)")
    self.hash = hash
    self.keyed = context
  }

  deinit { EVP_MAC_CTX_free(keyed) }

  /// The authentication code of a message.
  package func code(for message: some Collection<UInt8>) -> [UInt8] {
    let message = Array(message)
    let context = EVP_MAC_CTX_dup(keyed)
    defer { EVP_MAC_CTX_free(context) }
    return [UInt8](unsafeUninitializedCapacity: hash.bytes) { buffer, count in
      let status = EVP_MAC_update(context, message, message.count)
      let finished = EVP_MAC_final(context, buffer.baseAddress, &count, hash.bytes)
      precondition(status == 1 && finished == 1, "libcrypto can't make an HMAC with \(hash)")
    }
  }

  /// Whether a code is this message's; takes the same time wherever they differ.
  package func isValid(_ code: [UInt8], for message: some Collection<UInt8>) -> Bool {
    let expected = self.code(for: message)
    return code.count == expected.count && CRYPTO_memcmp(code, expected, expected.count) == 0
  }
}
