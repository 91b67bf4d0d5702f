import NIOCore
import NotifyCore

/// A user's frames of a batch, made once for all the devices that take compressed ones.
struct DeflatedFrames {
  /// Indices into the batch's frames.
  let group: Range<Int>
  private let bytes: ByteBuffer
  /// Where each frame ends.
  private let ends: [Int]

  /// Nil where none of the frames is to be compressed, so that they are the same for all.
  init?(_ batch: DeliveryBatch, _ group: Range<Int>, by deflater: Deflater) {
    guard group.contains(where: { deflater.wants(frameBytes: batch.byteRange($0..<$0 + 1).count) }) else { return nil }
    var bytes = ByteBuffer()
    var ends: [Int] = []
    ends.reserveCapacity(group.count)
    for frame in group {
      deflater.append(batch, frame, to: &bytes)
      ends.append(bytes.readableBytes)
    }
    self.group = group
    self.bytes = bytes
    self.ends = ends
  }

  /// The bytes of some consecutive frames.
  func slice(_ frames: Range<Int>) -> ByteBuffer {
    guard let last = frames.last else { return ByteBuffer() }
    let start = frames.lowerBound == group.lowerBound ? 0 : ends[frames.lowerBound - 1 - group.lowerBound]
    return bytes.getSlice(at: start, length: ends[last - group.lowerBound] - start) ?? ByteBuffer()
  }
}

extension Deflater {
  /// Appends a frame of a batch.
  func append(_ batch: DeliveryBatch, _ frame: Int, to bytes: inout ByteBuffer) {
    let range = batch.byteRange(frame..<frame + 1)
    batch.bytes.withUnsafeBytes { append(UnsafeRawBufferPointer(rebasing: $0[range]), to: &bytes) }
  }
}
