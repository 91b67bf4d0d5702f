import NIOCore
import NotifyCore

/// A batch on one event loop: its bytes, and which of its rows were delivered. Touched only on its loop.
final class LoopBatch {
  let batch: DeliveryBatch
  /// All frames. Sockets are written slices that share it.
  let bytes: ByteBuffer
  private var isDelivered: [Bool]
  /// The group that was compressed last, and its frames where some of them are compressed.
  private var deflated: (group: Range<Int>, frames: DeflatedFrames?)?

  init(_ batch: DeliveryBatch, _ bytes: ByteBuffer) {
    self.batch = batch
    self.bytes = bytes
    isDelivered = Array(repeating: false, count: batch.frames.count)
  }

  /// The bytes of some consecutive frames.
  func slice(_ frames: Range<Int>) -> ByteBuffer {
    let range = batch.byteRange(frames)
    return bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count) ?? ByteBuffer()
  }

  /// The bytes of some consecutive frames for connections with compression.
  ///
  /// - Parameter group: all frames of the user: its other connections get them, too.
  func slice(_ frames: Range<Int>, of group: Range<Int>, by deflater: Deflater) -> ByteBuffer {
    if let deflated, deflated.group == group { return deflated.frames?.slice(frames) ?? slice(frames) }
    let made = DeflatedFrames(batch, group, by: deflater)
    deflated = (group, made)
    return made?.slice(frames) ?? slice(frames)
  }

  /// Records rows as delivered.
  ///
  /// - Parameter body: called for each row that no other device of the loop has got before.
  func recordDelivered(_ frames: Range<Int>, _ body: (DeliveryBatch.Frame) -> Void) {
    isDelivered.withUnsafeMutableBufferPointer { isDelivered in
      for frame in frames where !isDelivered[frame] {
        isDelivered[frame] = true
        body(batch.frames[frame])
      }
    }
  }
}
