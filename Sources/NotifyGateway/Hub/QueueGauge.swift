import Synchronization

/// How many bytes of rows wait in one loop's sockets: written by the loop at each tick, read by any thread.
final class QueueGauge: Sendable {
  let bytes = Atomic<Int>(0)
}
