import NotifyCore

/// Why a key set can't be used. Safe to log.
struct KeySetError: Error, Equatable {
  let detail: String
}

/// The keys of a JWKS (RFC 7517 §5) that tokens can be verified with.
struct KeySet: Sendable {
  private let keys: [SignatureAlgorithm: [VerificationKey]]
  private let ids: Set<String>
  /// The keys left out, each a line for the log with the reason.
  let warnings: [String]
  /// Whether an RSA key under 2048 bits was left out.
  let hasWeakKey: Bool

  /// Reads a JWKS. Keys for other uses or of other kinds are left out (RFC 7517 §5); without a remaining key it is an
  /// error.
  static func read(_ bytes: [UInt8]) throws(KeySetError) -> KeySet {
    guard bytes.count <= Limits.keySetBytes else {
      throw KeySetError(detail: "is larger than \(Limits.keySetBytes) bytes")
    }
    guard let values = JSONValue.read(bytes, { $0?["keys"]?.elements?.map(Self.readKey) }) else {
      throw KeySetError(detail: #"is not a JWKS, a JSON object with "keys""#)
    }
    var keys: [SignatureAlgorithm: [VerificationKey]] = [:]
    var ids: Set<String> = []
    var warnings: [String] = []
    var hasWeakKey = false
    if values.count > Limits.keySetKeys {
      warnings.append("keys after the first \(Limits.keySetKeys) are left out")
    }
    for (index, value) in values.prefix(Limits.keySetKeys).enumerated() {
      do {
        guard let key = try value.get() else { continue }
        for verification in VerificationKey.all(of: key.key, id: key.id, only: key.algorithm) {
          keys[verification.algorithm, default: []].append(verification)
        }
        if let id = key.id { ids.insert(id) }
      } catch {
        hasWeakKey = hasWeakKey || error == .weak
        warnings.append("key \(index + 1) is left out: \(error.detail)")
      }
    }
    guard !keys.isEmpty else {
      throw KeySetError(
        detail: hasWeakKey ? JSONWebKeyError.weak.detail : "has no key that a token can be verified with")
    }
    return KeySet(keys: keys, ids: ids, warnings: warnings, hasWeakKey: hasWeakKey)
  }

  private static func readKey(_ value: JSONValue) -> Result<JSONWebKey?, JSONWebKeyError> {
    Result { () throws(JSONWebKeyError) in try JSONWebKey(value) }
  }

  /// Whether a key has this `kid`.
  func knows(_ id: String) -> Bool { ids.contains(id) }

  /// The keys that a token may have been signed with: those of its algorithm, by its `kid` where both have one.
  ///
  /// Keys of its `kid` come first, as not all keys may be tried.
  func candidates(for token: SignedToken) -> [VerificationKey] {
    let family = keys[token.algorithm] ?? []
    guard let id = token.keyID else { return family }
    return family.filter { $0.id == id } + family.filter { $0.id == nil }
  }
}
