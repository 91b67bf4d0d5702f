import NIOCore
import NotifyCore

/// A batch on one event loop: its bytes, and which of its rows were reported written. Touched only on its loop.
final class LoopBatch {
  let batch: DeliveryBatch
  /// All frames; what is written to sockets are slices that share it.
  let bytes: ByteBuffer
  private var reported: [Bool]
  /// The last group that was asked for, and its frames where some of them are compressed.
  private var deflated: (group: Range<Int>, frames: DeflatedFrames?)?

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

  /// The same for connections that take compressed frames.
  ///
  /// - Parameter group: all frames of the user, who may have more such connections.
  func slice(_ frames: Range<Int>, of group: Range<Int>, by deflater: Deflater) -> ByteBuffer {
    if let deflated, deflated.group == group { return deflated.frames?.slice(frames) ?? slice(frames) }
    let made = DeflatedFrames(batch, group, by: deflater)
    deflated = (group, made)
    return made?.slice(frames) ?? slice(frames)
  }

  /// Hands on those rows that weren't reported yet; they are from now on.
  func report(_ frames: Range<Int>, _ body: (DeliveryBatch.Frame) -> Void) {
    reported.withUnsafeMutableBufferPointer { reported in
      for frame in frames where !reported[frame] {
        reported[frame] = true
        body(batch.frames[frame])
      }
    }
  }
}
