import NIOCore
import NotifyCore

/// A batch on one event loop: its bytes, and which of its rows were delivered. Touched only on its loop.
final class LoopBatch {
  let batch: DeliveryBatch
  /// All frames. Sockets are written slices of it.
  private let shared: SharedFrames
  private var place = 0
  private var isDelivered: [Bool]
  /// The group that was compressed last, and its frames where some of them are compressed.
  private var deflated: (group: Range<Int>, frames: DeflatedFrames?)?

  init(_ batch: DeliveryBatch, _ shared: SharedFrames) {
    self.batch = batch
    self.shared = shared
    isDelivered = Array(repeating: false, count: batch.frames.count)
  }

  /// The bytes of some consecutive frames.
  func slice(_ frames: Range<Int>) -> ByteBuffer {
    shared.slice(batch.byteRange(frames), place: &place)
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

  /// Rows that wait for a slow socket, without their batch.
  struct Held {
    /// Those that no other device of the loop has got before.
    let frames: [DeliveryBatch.Frame]
    /// All of them.
    let count: Int
    /// All of them, where deliveries are logged.
    let logged: [RowName]
    let doorbell: ContinuousClock.Instant?
  }

  /// Takes rows out that have to wait.
  ///
  /// - Parameter isLogged: their delivery is to be logged for each device.
  func held(_ frames: Range<Int>, isLogged: Bool) -> Held {
    Held(
      frames: frames.filter { !isDelivered[$0] }.map { batch.frames[$0] }, count: frames.count,
      logged: isLogged ? batch.frames[frames].map(\.key.row) : [], doorbell: batch.doorbell)
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
