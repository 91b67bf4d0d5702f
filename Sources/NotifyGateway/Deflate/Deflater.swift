internal import CZlib
import Metrics
import NIOCore

/// Compresses frames (RFC 7692) for all connections of an event loop. Touched only on its loop.
final class Deflater {
  /// log2 of the window by default. With 12, rows of usual sizes become as small as with 15; a stream takes 54 KB instead
  /// of 262 KB, and Python's `websockets` requests the same.
  static let usualWindowBits = 12
  /// zlib's memLevel: as fast as larger ones, which take longer to clear, and faster than smaller ones.
  private static let memoryLevel: Int32 = 6

  /// Payloads that are compressed.
  private let sizes: ClosedRange<Int>
  private let windowBits: Int
  private let counter: Counter
  private var stream: UnsafeMutablePointer<z_stream>?
  private var scratch: [UInt8] = []

  /// Takes no memory worth mentioning before the first frame.
  ///
  /// - Parameters:
  ///   - minimum: bytes of a message; smaller ones stay as they are.
  ///   - windowBits: log2 of the window, 9 to 15.
  ///   - counter: counts the frames that were compressed.
  init(minimum: Int, windowBits: Int = usualWindowBits, counter: Counter) {
    sizes = minimum...max(minimum, GatewayLimits.deflateBytes)
    self.windowBits = windowBits
    self.counter = counter
  }

  deinit {
    guard let stream else { return }
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Whether a frame of this size is compressed.
  func wants(frameBytes: Int) -> Bool { sizes.contains(frameBytes - Self.headerBytes(frameBytes: frameBytes)) }

  /// Appends a frame: compressed where that makes it smaller, else as it is.
  ///
  /// - Parameter frame: a whole frame of a message as `FrameEncoder` writes it.
  func append(_ frame: UnsafeRawBufferPointer, to bytes: inout ByteBuffer) {
    guard wants(frameBytes: frame.count) else {
      bytes.writeBytes(frame)
      return
    }
    let payload = UnsafeRawBufferPointer(rebasing: frame.dropFirst(Self.headerBytes(frameBytes: frame.count)))
    guard let size = compress(payload) else {
      bytes.writeBytes(frame)
      return
    }
    counter.increment()
    bytes.writeInteger(frame[0] | 0x40)  // RSV1
    switch size {
    case ..<126:
      bytes.writeInteger(UInt8(size))
    case ..<65_536:
      bytes.writeInteger(126 as UInt8)
      bytes.writeInteger(UInt16(size))
    default:
      bytes.writeInteger(127 as UInt8)
      bytes.writeInteger(UInt64(size))
    }
    bytes.writeBytes(scratch[..<size])
  }

  /// The header of a frame whose length has its shortest form, as RFC 6455 requires.
  private static func headerBytes(frameBytes: Int) -> Int {
    switch frameBytes {
    case ..<(2 + 126): 2
    case ..<(4 + 65_536): 4
    default: 10
    }
  }

  /// Compresses into `scratch`; nil where that needs as many bytes as the payload has.
  private func compress(_ payload: UnsafeRawBufferPointer) -> Int? {
    let stream = stream ?? Self.makeStream(windowBits)
    self.stream = stream
    deflateReset(stream)
    if scratch.count < payload.count { scratch = Array(repeating: 0, count: payload.count) }
    return scratch.withUnsafeMutableBufferPointer { output in
      stream.pointee.next_in = UnsafeMutablePointer(mutating: payload.bindMemory(to: UInt8.self).baseAddress)
      stream.pointee.avail_in = UInt32(payload.count)
      stream.pointee.next_out = output.baseAddress
      stream.pointee.avail_out = UInt32(payload.count)
      // Room that is used up may mean that more is to come.
      guard deflate(stream, Z_SYNC_FLUSH) == Z_OK, stream.pointee.avail_out > 0 else { return nil }
      // RFC 7692, 7.2.1: the last four bytes, 00 00 ff ff, are left out.
      return payload.count - Int(stream.pointee.avail_out) - 4
    }
  }

  private static func makeStream(_ windowBits: Int) -> UnsafeMutablePointer<z_stream> {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // Negative: without zlib's own header. `deflateInit2` is a macro, which Swift does not see.
    let status = deflateInit2_(
      stream, Z_BEST_SPEED, Z_DEFLATED, -Int32(windowBits), memoryLevel, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size))
    precondition(status == Z_OK, "zlib takes these parameters")
    return stream
  }
}
