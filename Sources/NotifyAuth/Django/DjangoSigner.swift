import NotifyCore
import NotifyCrypto

/// Django's signatures (`django.core.signing`, `django.utils.crypto.salted_hmac`) with SHA-256, its default.
struct DjangoSigner: Sendable {
  /// A signed value and the time of the signature.
  struct Signed: Equatable {
    let value: [UInt8]
    /// Seconds since 1970 UTC.
    let time: Double
  }

  /// Why a text is not validly signed. Holds nothing of the text.
  enum SignatureError: Error, Equatable {
    /// Not in Django's form.
    case malformed
    /// Signed with another key, or changed.
    case forged
  }

  private let keys: [Secret]

  /// - Parameter keys: `SECRET_KEY` and its fallbacks.
  init(keys: [Secret]) { self.keys = keys }

  /// Reverses `signing.dumps(…, salt=salt, compress=True)`: `[.]base64url:base62 time:signature`.
  ///
  /// - Returns: the dumped value, inflated, at most `Limits.sessionBytes`.
  func loads(_ text: String, salt: String) throws(SignatureError) -> Signed {
    let bytes = Array(text.utf8)
    guard let last = bytes.lastIndex(of: Self.separator), let signature = Base64URL.decode(bytes[(last + 1)...]),
      let middle = bytes[..<last].lastIndex(of: Self.separator), let time = Self.base62(bytes[(middle + 1)..<last])
    else { throw .malformed }
    guard isSigned(bytes[..<last], signature, salt: salt + "signer") else { throw .forged }
    var value = bytes[..<middle]
    let isCompressed = value.first == UInt8(ascii: ".")
    if isCompressed { value = value.dropFirst() }
    guard let decoded = Base64URL.decode(value) else { throw .malformed }
    guard isCompressed else { return Signed(value: decoded, time: time) }
    guard let inflated = Inflation.inflate(decoded, atMost: Limits.sessionBytes) else { throw .malformed }
    return Signed(value: inflated, time: time)
  }

  /// Whether a session's `_auth_user_hash` was made of this password, as the user's row has it.
  func matches(authHash: String, password: Secret) -> Bool {
    guard let signature = Hexadecimal.decode(authHash) else { return false }
    let salt = "django.contrib.auth.models.AbstractBaseUser.get_session_auth_hash"
    return isSigned(password.exposed.utf8, signature, salt: salt)
  }

  /// Compares in constant time.
  private func isSigned(_ value: some Sequence<UInt8>, _ signature: [UInt8], salt: String) -> Bool {
    let value = Array(value)
    return keys.contains { secret in
      let key = HMACKey(HashFunction.sha256.digest((salt + secret.exposed).utf8), hash: .sha256)
      return key.isValid(signature, for: value)
    }
  }

  private static let separator = UInt8(ascii: ":")

  /// Django's base62 (`0-9A-Za-z`), of at most ten digits.
  private static func base62(_ text: ArraySlice<UInt8>) -> Double? {
    guard (1...10).contains(text.count) else { return nil }
    var number: UInt64 = 0
    for byte in text {
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - UInt8(ascii: "0")
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - UInt8(ascii: "A") + 10
      case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - UInt8(ascii: "a") + 36
      default: return nil
      }
      number = number * 62 + UInt64(digit)
    }
    return Double(number)
  }
}
