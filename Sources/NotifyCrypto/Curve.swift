internal import COpenSSL

/// A curve of ECDSA (FIPS 186-5).
package enum Curve: String, Sendable, CaseIterable {
  case p256 = "P-256"
  case p384 = "P-384"
  case p521 = "P-521"

  /// Bytes of a coordinate, and of each half of a signature.
  package var bytes: Int {
    switch self {
    case .p256: 32
    case .p384: 48
    case .p521: 66
    }
  }

  var kind: PublicKey.Kind {
    switch self {
    case .p256: .p256
    case .p384: .p384
    case .p521: .p521
    }
  }

  /// The name that libcrypto gives it.
  private var group: String {
    switch self {
    case .p256: "prime256v1"
    case .p384: "secp384r1"
    case .p521: "secp521r1"
    }
  }

  /// Its object identifier in DER.
  var objectIdentifier: [UInt8] {
    switch self {
    case .p256: [0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07]
    case .p384: [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x22]
    case .p521: [0x06, 0x05, 0x2B, 0x81, 0x04, 0x00, 0x23]
    }
  }

  /// The curve of a key of libcrypto's; nil for another one.
  init?(of key: OpaquePointer) {
    var length = 0
    let name = [UInt8](unsafeUninitializedCapacity: 32) { buffer, count in
      let text = UnsafeMutableRawPointer(buffer.baseAddress)?.assumingMemoryBound(to: CChar.self)
      count = EVP_PKEY_get_group_name(key, text, buffer.count, &length) == 1 ? length : 0
    }
    let group = String(decoding: name, as: UTF8.self)
    guard let curve = Self.allCases.first(where: { $0.group == group }) else { return nil }
    self = curve
  }
}
