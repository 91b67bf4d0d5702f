import Foundation

/// An IPv4 or IPv6 address as 16 bytes; IPv4 in its mapped form.
struct IPAddress: Equatable, Sendable {
  let bytes: [UInt8]

  init?(_ text: some StringProtocol) {
    var text = String(text)
    if text.hasPrefix("["), text.hasSuffix("]") { text = String(text.dropFirst().dropLast()) }
    var four = in_addr()
    if inet_pton(AF_INET, text, &four) == 1 {
      bytes = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] + withUnsafeBytes(of: &four) { Array($0) }
      return
    }
    var six = in6_addr()
    guard inet_pton(AF_INET6, text, &six) == 1 else { return nil }
    bytes = withUnsafeBytes(of: &six) { Array($0) }
  }

  /// A network: an address and the number of its significant bits.
  struct Network: Sendable {
    private let address: IPAddress
    private let bits: Int

    /// - Parameter text: `10.0.0.1`, `10.0.0.0/8`, `fd00::/8`; nil for any other text.
    init?(_ text: String) {
      let parts = text.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count <= 2, let address = IPAddress(parts[0]) else { return nil }
      let offset = parts[0].contains(":") ? 0 : 96
      self.address = address
      if parts.count == 2 {
        guard let prefix = Int(parts[1]), prefix >= 0, prefix <= 128 - offset else { return nil }
        bits = prefix + offset
      } else {
        bits = 128
      }
    }

    func contains(_ other: IPAddress) -> Bool {
      let whole = bits / 8
      guard address.bytes[..<whole] == other.bytes[..<whole] else { return false }
      guard bits % 8 > 0 else { return true }
      return (address.bytes[whole] ^ other.bytes[whole]) >> UInt8(8 - bits % 8) == 0
    }
  }
}
