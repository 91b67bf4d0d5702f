import CZlib

/// zlib's format (RFC 1950), of which a few bytes may become many.
enum Inflation {
  /// Inflates a whole stream; nil where it is broken, or larger than `limit` bytes when inflated.
  static func inflate(_ bytes: [UInt8], atMost limit: Int) -> [UInt8]? {
    var status: Int32 = Z_OK
    let inflated = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
      var length = uLongf(limit)
      status = uncompress(buffer.baseAddress, &length, bytes, uLong(bytes.count))
      count = status == Z_OK ? Int(length) : 0
    }
    // Of its own size: the buffer is as large as the largest may be.
    return status == Z_OK ? Array(inflated[...]) : nil
  }
}
