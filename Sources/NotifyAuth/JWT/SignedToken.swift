import NotifyCore

/// Why a token is refused. The detail holds nothing of the token.
struct TokenError: Error, Equatable {
  let detail: String
}

/// The parts of a token whose signature is not yet verified.
struct SignedToken {
  let algorithm: SignatureAlgorithm
  /// The key that the token names.
  let keyID: String?
  /// The signed bytes: header, dot and payload, as they came.
  let signed: ArraySlice<UInt8>
  let signature: [UInt8]
  /// The payload's JSON.
  let payload: [UInt8]

  /// Splits a compact serialization (RFC 7515 §7.1).
  ///
  /// Of the header only `alg`, `kid` and `crit` are used. Keys that a token carries or points to (`jwk`, `jku`, `x5c`,
  /// `x5u`) are ignored.
  init(_ text: String) throws(TokenError) {
    guard text.utf8.count <= Limits.credentialBytes else {
      throw TokenError(detail: "the token is longer than \(Limits.credentialBytes) bytes")
    }
    let bytes = Array(text.utf8)
    let parts = bytes.split(separator: UInt8(ascii: "."), maxSplits: 3, omittingEmptySubsequences: false)
    guard parts.count == 3 else { throw TokenError(detail: "the token does not have three parts") }
    guard let header = Base64URL.decode(parts[0]), let payload = Base64URL.decode(parts[1]),
      let signature = Base64URL.decode(parts[2])
    else { throw TokenError(detail: "the token is not base64url") }

    (algorithm, keyID) = try JSONValue.read(header, Self.readHeader).get()
    guard !signature.isEmpty else { throw TokenError(detail: "the token has no signature") }
    self.signed = bytes[..<parts[1].endIndex]
    self.signature = signature
    self.payload = payload
  }

  private static func readHeader(
    _ header: JSONValue?
  ) -> Result<(SignatureAlgorithm, keyID: String?), TokenError> {
    guard let header, header.isObject else {
      return .failure(TokenError(detail: "the token's header is not a JSON object"))
    }
    guard let algorithm = header["alg"]?.string.flatMap(SignatureAlgorithm.init(named:)) else {
      return .failure(TokenError(detail: "the token's alg is missing, none, or none that the bridge knows"))
    }
    guard header["crit"] == nil else {
      return .failure(TokenError(detail: "the token's header has crit: the bridge knows no extension"))
    }
    guard let value = header["kid"] else { return .success((algorithm, nil)) }
    guard let keyID = value.string else { return .failure(TokenError(detail: "the token's kid is not a string")) }
    return .success((algorithm, keyID))
  }
}
