internal import CZlib
import NIOCore

/// Decompresses messages (RFC 7692) of all connections of an event loop. Touched only on its loop.
final class Inflater {
  /// Why a message can't be decompressed.
  enum InflateError: Error {
    /// It is no whole deflate stream.
    case invalid
    /// It would have more bytes than allowed; it was not decompressed further.
    case tooBig
  }

  private var stream: UnsafeMutablePointer<z_stream>?

  deinit {
    guard let stream else { return }
    inflateEnd(stream)
    stream.deallocate()
  }

  /// Decompresses a message, which begins without anything known from earlier ones.
  ///
  /// - Parameter limit: bytes that it may have decompressed.
  func inflate(_ message: ByteBuffer, atMost limit: Int) throws(InflateError) -> ByteBuffer {
    let stream = stream ?? Self.makeStream()
    self.stream = stream
    inflateReset(stream)
    // RFC 7692, 7.2.2: the four bytes that the sender has left out.
    var input = message
    input.writeBytes([0x00, 0x00, 0xff, 0xff])
    var output = ByteBuffer()
    output.reserveCapacity(min(limit + 1, 4 * input.readableBytes))
    let status = input.readWithUnsafeMutableReadableBytes { input in
      (0, Self.run(stream, input, &output, limit: limit))
    }
    if output.readableBytes > limit { throw .tooBig }
    guard status == Z_OK, Self.isBehindBlock(stream) else { throw .invalid }
    return output
  }

  /// Goes on until all is read and written, or there is one byte more than allowed.
  private static func run(
    _ stream: UnsafeMutablePointer<z_stream>, _ input: UnsafeMutableRawBufferPointer, _ output: inout ByteBuffer,
    limit: Int
  ) -> Int32 {
    stream.pointee.next_in = input.bindMemory(to: UInt8.self).baseAddress
    stream.pointee.avail_in = UInt32(input.count)
    repeat {
      let room = limit + 1 - output.readableBytes
      if room == 0 { return Z_OK }
      var status = Z_OK
      output.writeWithUnsafeMutableBytes(minimumWritableBytes: min(room, 1_024)) { space in
        let size = min(space.count, room)
        stream.pointee.next_out = space.bindMemory(to: UInt8.self).baseAddress
        stream.pointee.avail_out = UInt32(size)
        status = CZlib.inflate(stream, Z_SYNC_FLUSH)
        return size - Int(stream.pointee.avail_out)
      }
      switch status {
      case Z_OK: break
      // RFC 7692, 7.2.3.4: a final block may be followed by others.
      case Z_STREAM_END: inflateReset(stream)
      // Nothing was left to do.
      case Z_BUF_ERROR where stream.pointee.avail_in == 0: return Z_OK
      default: return status
      }
      // Room that is used up may mean that more is to come.
    } while stream.pointee.avail_in > 0 || (stream.pointee.avail_out == 0 && !isBehindBlock(stream))
    return Z_OK
  }

  /// Whether it stopped right behind a block, where a whole message ends.
  private static func isBehindBlock(_ stream: UnsafeMutablePointer<z_stream>) -> Bool {
    stream.pointee.data_type & 128 != 0
  }

  private static func makeStream() -> UnsafeMutablePointer<z_stream> {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // Negative: without zlib's own header. 15: clients may use the largest window.
    let status = inflateInit2_(stream, -15, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(status == Z_OK, "zlib takes these parameters")
    return stream
  }
}
