import NotifyCore
import NotifyCrypto
import Testing

@testable import NotifyAuth

@Suite("A public key of a kind that signs no tokens is refused")
struct PublicKeyTests {
  static let modulus = [UInt8](repeating: 0xC3, count: 256)

  static func error(_ make: () throws(PublicKeyError) -> PublicKey) -> PublicKeyError? {
    do throws(PublicKeyError) {
      _ = try make()
      return nil
    } catch {
      return error
    }
  }

  @Test("An RSA key's exponent is odd, larger than 1 and of 33 bits at most")
  func exponents() {
    #expect(
      Self.error { () throws(PublicKeyError) in try PublicKey(modulus: Self.modulus, exponent: [1, 0, 1]) } == nil)
    #expect(Self.error { () throws(PublicKeyError) in try PublicKey(modulus: Self.modulus, exponent: [3]) } == nil)
    for exponent: [UInt8] in [[], [0], [1], [0, 1], [2], [1, 0, 0], [0xFF, 0xFF, 0xFF, 0xFF, 0xFF]] {
      let error = Self.error { () throws(PublicKeyError) in
        try PublicKey(modulus: Self.modulus, exponent: exponent)
      }
      #expect(error == .malformed, "\(exponent)")
    }
  }

  @Test(
    "An RSA key's modulus has 2048 to 8192 bits",
    arguments: [(0, .weak), (255, .weak), (256, nil), (1_024, nil), (1_025, .malformed)] as [(Int, PublicKeyError?)])
  func moduli(bytes: Int, expected: PublicKeyError?) {
    let modulus = [UInt8](repeating: 0xC3, count: bytes)
    #expect(
      Self.error { () throws(PublicKeyError) in try PublicKey(modulus: modulus, exponent: [1, 0, 1]) } == expected)
    // Leading zeros count for nothing.
    let padded = [0, 0] + modulus
    #expect(
      Self.error { () throws(PublicKeyError) in try PublicKey(modulus: padded, exponent: [1, 0, 1]) } == expected)
  }

  @Test("A point is on its curve, with coordinates as long as the field", arguments: Curve.allCases)
  func points(curve: Curve) {
    for bytes in [0, 1, curve.bytes - 1, curve.bytes, curve.bytes + 1] {
      let coordinate = [UInt8](repeating: 1, count: bytes)
      let error = Self.error { () throws(PublicKeyError) in try PublicKey(curve: curve, x: coordinate, y: coordinate) }
      #expect(error == .malformed, "\(bytes)")
    }
  }

  @Test("An Ed25519 key has 32 bytes", arguments: [0, 31, 32, 33])
  func edwards(bytes: Int) {
    let key = [UInt8](repeating: 9, count: bytes)
    #expect((Self.error { () throws(PublicKeyError) in try PublicKey(ed25519: key) } == nil) == (bytes == 32))
  }

  @Test(
    "Keys of other kinds and curves are refused as such",
    arguments: [OtherKeys.secp256k1, OtherKeys.rsaPSS, OtherKeys.x25519])
  func otherKinds(pem: String) {
    do {
      _ = try PEMKeys.read(pem)
      Issue.record("accepted")
    } catch {
      #expect(error.problem.contains("another kind"))
    }
  }

  @Test("Bytes behind a key, and a key cut short, are a damaged key")
  func length() throws {
    let der = Self.der(Fixtures.p256Public)
    #expect(Self.error { () throws(PublicKeyError) in try PublicKey(subjectPublicKeyInfo: der) } == nil)
    for changed in [der + [0], Array(der.dropLast()), []] {
      let error = Self.error { () throws(PublicKeyError) in try PublicKey(subjectPublicKeyInfo: changed) }
      #expect(error == .malformed)
    }
  }

  @Test("A certificate for an Ed25519 key gives the key")
  func ed25519Certificate() throws {
    #expect(try PEMKeys.read(OtherKeys.ed25519Certificate).map(\.kind) == [.ed25519])
  }

  @Test("A signature is no other scheme's, and no key of another kind's")
  func schemes() throws {
    let key = try #require(try PEMKeys.read(Fixtures.rsaPublic).first)
    let token = try SignedToken(try #require(Fixtures.tokens["RS256"]))
    func verifies(_ scheme: SignatureScheme) -> Bool { key.verifies(token.signature, of: token.signed, by: scheme) }
    #expect(verifies(.rsa(.sha256)))
    for scheme: SignatureScheme in [.rsa(.sha384), .rsaPSS(.sha256), .ecdsa(.sha256), .ed25519] {
      #expect(!verifies(scheme))
    }
    #expect(!key.verifies([], of: token.signed, by: .rsa(.sha256)))
    #expect(!key.verifies(token.signature + [0], of: token.signed, by: .rsa(.sha256)))
  }

  /// What a PEM text holds.
  static func der(_ pem: String) -> [UInt8] {
    let digits = pem.split(separator: "\n").dropFirst().dropLast().joined().replacing("+", with: "-")
      .replacing("/", with: "_").replacing("=", with: "")
    return Base64URL.decode(ArraySlice(digits.utf8)) ?? []
  }
}

@Suite("Digests and authentication codes are those of the standards")
struct DigestTests {
  @Test("SHA-1 and SHA-2 give FIPS 180's digests of nothing and of abc")
  func digests() {
    let expected: [(HashFunction, String, String)] = [
      (.sha1, "", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
      (.sha1, "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
      (.sha256, "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      (.sha256, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        .sha384, "abc",
        "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7"
      ),
    ]
    for (hash, text, digest) in expected { #expect(Hexadecimal.encode(hash.digest(text.utf8)) == digest) }
  }

  @Test("HMAC gives RFC 4231's codes, also with a key longer than a block, and takes an empty key")
  func codes() {
    let long = [UInt8](repeating: 0xAA, count: 131)
    let expected: [([UInt8], String, String)] = [
      (
        Array("Jefe".utf8), "what do ya want for nothing?",
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
      ),
      (
        long, "Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
      ),
      ([], "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad"),
    ]
    for (bytes, text, code) in expected {
      let key = HMACKey(bytes, hash: .sha256)
      // Twice: a code leaves nothing behind in the key.
      for _ in 0..<2 { #expect(Hexadecimal.encode(key.code(for: text.utf8)) == code) }
      #expect(key.isValid(key.code(for: text.utf8), for: text.utf8))
      #expect(!key.isValid(Array(key.code(for: text.utf8).dropLast()), for: text.utf8))
      #expect(!key.isValid([], for: text.utf8))
    }
  }
}
