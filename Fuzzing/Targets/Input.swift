import NIOCore

/// The bytes that libFuzzer tries: a few choices in front, the rest for the parser.
struct Input {
  private(set) var bytes: ArraySlice<UInt8>

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = Array(bytes)[...] }

  /// A number from 0 to 255; 0 at the end.
  mutating func choice() -> Int { Int(bytes.popFirst() ?? 0) }

  /// The rest as text; bytes that are no UTF-8 become U+FFFD, as NIO makes text of headers.
  var text: String { String(decoding: bytes, as: UTF8.self) }

  /// The rest in pieces, whose sizes a number decides on.
  func pieces(_ seed: Int) -> [ByteBuffer] {
    var rest = bytes
    var sizes = UInt64(seed) &* 0x9e37_79b9_7f4a_7c15 | 1
    var pieces: [ByteBuffer] = []
    while !rest.isEmpty {
      // Splits every frame somewhere: mostly a few bytes.
      sizes = sizes &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      let size = 1 + Int(sizes >> 60) * Int(sizes >> 58 & 3)
      pieces.append(ByteBuffer(bytes: rest.prefix(size)))
      rest = rest.dropFirst(size)
    }
    return pieces
  }
}

/// An invariant: what fails it is a finding, like a crash.
func check(_ holds: Bool, _ invariant: @autoclosure () -> String) {
  precondition(holds, invariant())
}
