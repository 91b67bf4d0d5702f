/// Writes the few forms of DER (X.690 §8, §10) that public keys are made of.
enum DER {
  /// The object identifier `id-ecPublicKey` (RFC 5480 §2.1.1).
  static let ecPublicKey: [UInt8] = [0x06, 0x07, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x02, 0x01]

  static func sequence(_ contents: [UInt8]) -> [UInt8] { element(0x30, contents) }

  /// A positive number, given big-endian.
  static func integer(_ number: [UInt8]) -> [UInt8] {
    let digits = Array(number.drop { $0 == 0 })
    // The first bit is the sign.
    let needsZero = digits.first.map { $0 >= 0x80 } ?? true
    return element(0x02, (needsZero ? [0] : []) + digits)
  }

  /// A bit string of whole bytes.
  static func bitString(_ bytes: [UInt8]) -> [UInt8] { element(0x03, [0] + bytes) }

  private static func element(_ tag: UInt8, _ contents: [UInt8]) -> [UInt8] {
    guard contents.count >= 0x80 else { return [tag, UInt8(contents.count)] + contents }
    let length = withUnsafeBytes(of: contents.count.bigEndian) { Array($0.drop { $0 == 0 }) }
    return [tag, 0x80 | UInt8(length.count)] + length + contents
  }
}
