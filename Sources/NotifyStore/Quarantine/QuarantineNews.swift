internal import Synchronization

/// Wakes the maintenance when something was set aside or works again, so that it is logged at once.
final class QuarantineNews: Sendable {
  private let waker = Mutex<PGConnection.Waker?>(nil)

  func setWaker(_ waker: PGConnection.Waker) { self.waker.withLock { $0 = waker } }

  func changed() { waker.withLock { $0 }?.wake() }
}
