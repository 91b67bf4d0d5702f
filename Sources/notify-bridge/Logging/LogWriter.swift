import Foundation

/// Writes lines to standard error from a separate thread, so that a stalled reader blocks no other thread.
///
/// At most `maximumBytes` wait; lines beyond are dropped, and counted in a line once there is room again.
final class LogWriter: @unchecked Sendable {
  // @unchecked: `condition` guards all that changes.
  private let condition = NSCondition()
  private let descriptor: Int32
  private let maximumBytes: Int
  private var waiting: [UInt8] = []
  private var dropped = 0
  private var isWriting = false
  private var isStarted = false

  /// - Parameters:
  ///   - descriptor: the file to write to; not closed.
  ///   - maximumBytes: the bytes that may wait.
  init(descriptor: Int32, maximumBytes: Int = 1 << 20) {
    self.descriptor = descriptor
    self.maximumBytes = maximumBytes
  }

  /// Takes a line; returns at once.
  func write(_ line: String) {
    condition.lock()
    defer { condition.unlock() }
    if !isStarted {
      isStarted = true
      Thread.detachNewThread { self.run() }
    }
    guard waiting.count + line.utf8.count <= maximumBytes else {
      dropped += 1
      return
    }
    if dropped > 0 {
      waiting.append(contentsOf: "\(dropped) lines of the log were dropped: standard error was not read\n".utf8)
      dropped = 0
    }
    waiting.append(contentsOf: line.utf8)
    condition.signal()
  }

  /// Waits until all lines are written.
  ///
  /// - Parameter seconds: the longest wait.
  func flush(seconds: Double) {
    let deadline = Date(timeIntervalSinceNow: seconds)
    condition.lock()
    defer { condition.unlock() }
    while !waiting.isEmpty || isWriting {
      if !condition.wait(until: deadline) { return }
    }
  }

  private func run() {
    condition.lock()
    while true {
      while waiting.isEmpty { condition.wait() }
      let bytes = waiting
      waiting = []
      isWriting = true
      condition.unlock()
      FileOutput.write(bytes, to: descriptor)
      condition.lock()
      isWriting = false
      condition.broadcast()
    }
  }
}
