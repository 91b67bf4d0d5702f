/// Agrees on permessage-deflate (RFC 7692) with a client.
///
/// There is no context takeover in either direction. A compressed row is so the same for all devices, and no connection
/// needs memory for its own stream.
enum DeflateNegotiation {
  private static let name = "permessage-deflate"

  /// The response to the first acceptable offer; nil where there is none.
  ///
  /// - Parameter windowBits: log2 of the window that messages are compressed with.
  static func response(to offers: [ExtensionOffer], windowBits: Int = Deflater.usualWindowBits) -> String? {
    for offer in offers where offer.name == name {
      if let response = response(to: offer.parameters, windowBits) { return response }
    }
    return nil
  }

  /// RFC 7692, 7.1: an offer is declined for a parameter that is unknown, given twice or has a value it can't have.
  private static func response(to parameters: [ExtensionOffer.Parameter], _ windowBits: Int) -> String? {
    var response = "\(name); server_no_context_takeover; client_no_context_takeover"
    var seen: Set<String> = []
    for parameter in parameters {
      guard seen.insert(parameter.name).inserted else { return nil }
      switch (parameter.name, parameter.value) {
      case ("server_no_context_takeover", nil), ("client_no_context_takeover", nil), ("client_max_window_bits", nil):
        break
      case ("client_max_window_bits", let value?):
        guard bits(value) != nil else { return nil }
      case ("server_max_window_bits", let value?):
        // All messages are compressed with the same window. A client with a smaller one gets them uncompressed.
        guard let bits = bits(value), bits >= windowBits else { return nil }
        response += "; server_max_window_bits=\(windowBits)"
      default:
        return nil
      }
    }
    return response
  }

  /// 8 to 15, without leading zeros.
  private static func bits(_ text: String) -> Int? {
    guard let bits = Int(text), 8...15 ~= bits, String(bits) == text else { return nil }
    return bits
  }
}
