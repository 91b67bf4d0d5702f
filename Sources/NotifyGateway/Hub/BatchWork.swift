import NIOCore
import NotifyCore

/// A batch on one event loop: its bytes, and which of its rows were reported written. Touched only on its loop.
final class BatchWork {
  let batch: DeliveryBatch
  /// All frames; what is written to sockets are slices that share it.
  let bytes: ByteBuffer
  private var reported: [Bool]

  init(_ batch: DeliveryBatch, _ bytes: ByteBuffer) {
    self.batch = batch
    self.bytes = bytes
    reported = Array(repeating: false, count: batch.frames.count)
  }

  /// The bytes of some consecutive frames.
  func slice(_ frames: Range<Int>) -> ByteBuffer {
    let range = batch.byteRange(frames)
    return bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
  }

  /// Whether a row wasn't reported yet; it is from now on.
  func firstReport(_ frame: Int) -> Bool {
    if reported[frame] { return false }
    reported[frame] = true
    return true
  }
}
