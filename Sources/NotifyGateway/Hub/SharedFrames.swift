import NIOCore
import NotifyCore

/// A batch's frames in the pieces that sockets share. One that lags behind keeps a piece alive, not the batch.
struct SharedFrames: Sendable {
  /// Each begins where the one before ends, in the batch's bytes.
  private let pieces: [(end: Int, bytes: ByteBuffer)]

  /// Cuts between users, at `GatewayLimits.sharedBytes` and more.
  init(_ batch: DeliveryBatch) {
    var pieces: [(end: Int, bytes: ByteBuffer)] = []
    var start = 0
    func cut(at end: Int) {
      pieces.append((end, ByteBuffer(bytes: batch.bytes[start..<end])))
      start = end
    }
    if batch.bytes.count > GatewayLimits.sharedBytes {
      for group in batch.groups {
        let end = batch.byteRange(group.frames).upperBound
        if end - start >= GatewayLimits.sharedBytes { cut(at: end) }
      }
    }
    if start < batch.bytes.count { cut(at: batch.bytes.count) }
    self.pieces = pieces
  }

  /// The bytes of some frames of one user.
  ///
  /// - Parameters:
  ///   - range: in the batch's bytes.
  ///   - place: the piece of the last call, at first 0: users come in their order.
  func slice(_ range: Range<Int>, place: inout Int) -> ByteBuffer {
    if place > 0, pieces[place - 1].end > range.lowerBound { place = 0 }
    while place < pieces.count, pieces[place].end <= range.lowerBound { place += 1 }
    guard place < pieces.count else { return ByteBuffer() }
    let start = place == 0 ? 0 : pieces[place - 1].end
    let bytes = pieces[place].bytes
    return bytes.getSlice(at: bytes.readerIndex + range.lowerBound - start, length: range.count) ?? ByteBuffer()
  }
}
