import NotifyCore

/// Why a text is no token that we look at further. The detail holds nothing of the token.
struct TokenError: Error, Equatable {
  let detail: String
}

/// A token's parts, its signature not yet verified.
struct SignedToken {
  let algorithm: SignatureAlgorithm
  /// The key that the token names.
  let keyID: String?
  /// What is signed: header, dot and payload, as they came.
  let signed: ArraySlice<UInt8>
  let signature: [UInt8]
  /// The payload's JSON.
  let payload: [UInt8]

  /// Takes a compact serialization (RFC 7515 §7.1) apart.
  ///
  /// Of the header only `alg` and `kid` mean anything here: keys that a token brings along or points to (`jwk`, `jku`,
  /// `x5c`, `x5u`) are never looked at.
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

    guard let fields = try? JSONReader.readObject(header) else {
      throw TokenError(detail: "the token's header is not a JSON object")
    }
    guard let name = fields["alg"]?.string, let algorithm = SignatureAlgorithm(named: name) else {
      throw TokenError(detail: "the token's alg is missing, none, or none that the bridge knows")
    }
    guard fields["crit"] == nil else {
      throw TokenError(detail: "the token's header has crit: the bridge knows no extension")
    }
    switch fields["kid"] {
    case nil: self.keyID = nil
    case .string(let id): self.keyID = id
    default: throw TokenError(detail: "the token's kid is not a string")
    }
    guard !signature.isEmpty else { throw TokenError(detail: "the token has no signature") }
    self.algorithm = algorithm
    self.signed = bytes[..<parts[1].endIndex]
    self.signature = signature
    self.payload = payload
  }
}
