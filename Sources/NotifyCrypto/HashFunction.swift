internal import COpenSSL

/// A hash function of libcrypto, which libpq brings along and the distribution keeps secure.
package struct HashFunction: Sendable {
  package static let sha1 = HashFunction("SHA1", bytes: 20)
  package static let sha256 = HashFunction("SHA256", bytes: 32)
  package static let sha384 = HashFunction("SHA384", bytes: 48)
  package static let sha512 = HashFunction("SHA512", bytes: 64)

  /// The name by which libcrypto finds it.
  private let name: StaticString
  /// Bytes of a digest.
  let bytes: Int
  /// Fetched once: libcrypto would look it up by name for every digest. It is never written to, nor freed.
  nonisolated(unsafe) private let function: OpaquePointer

  private init(_ name: StaticString, bytes: Int) {
    guard let function = EVP_MD_fetch(nil, Self.text(name), nil) else {
      preconditionFailure("libcrypto has no \(name)")
    }
    self.name = name
    self.bytes = bytes
    self.function = function
  }

  /// The name for functions of libcrypto.
  var cName: UnsafePointer<CChar> { Self.text(name) }

  private static func text(_ name: StaticString) -> UnsafePointer<CChar> {
    UnsafeRawPointer(name.utf8Start).assumingMemoryBound(to: CChar.self)
  }

  /// The digest of bytes.
  package func digest(_ input: some Collection<UInt8>) -> [UInt8] {
    let input = Array(input)
    return [UInt8](unsafeUninitializedCapacity: bytes) { buffer, count in
      let status = EVP_Digest(input, input.count, buffer.baseAddress, nil, function, nil)
      precondition(status == 1, "libcrypto can't make a digest by \(name)")
      count = bytes
    }
  }
}
