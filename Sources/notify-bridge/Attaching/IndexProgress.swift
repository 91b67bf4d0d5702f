import Foundation
import NotifyCore
import NotifyStore

/// Says now and then how far the building of an index is, from a thread and a connection of its own.
final class IndexProgress: Sendable {
  private static let interval: TimeInterval = 5

  private let stopped = NSCondition()
  nonisolated(unsafe) private var isStopped = false

  /// Watches what the session runs next.
  init(_ session: AttachSession) {
    let url = session.url
    let pid = String(session.connection.backendPID)
    Thread.detachNewThread { [self] in
      guard !waitStopped(), let connection = try? Database.connect(url) else { return }
      defer { connection.close() }
      repeat {
        guard let row = try? connection.query(Self.question, [pid]).first, let phase = row[0] else { continue }
        FileOutput.printLine("  \(TerminalText.escaped(phase))\(row[1].map { ", \($0) %" } ?? "")")
      } while !waitStopped()
    }
  }

  /// Ends it.
  func stop() {
    stopped.withLock {
      isStopped = true
      stopped.broadcast()
    }
  }

  private static let question = """
    SELECT phase, CASE
      WHEN phase LIKE 'waiting%' THEN NULL
      WHEN blocks_total > 0 THEN 100 * blocks_done / blocks_total
      WHEN tuples_total > 0 THEN 100 * tuples_done / tuples_total END
    FROM pg_stat_progress_create_index WHERE pid = $1::int4
    """

  /// Waits for the end, or for the next time to say something.
  private func waitStopped() -> Bool {
    stopped.withLock {
      let deadline = Date(timeIntervalSinceNow: Self.interval)
      while !isStopped, stopped.wait(until: deadline) {}
      return isStopped
    }
  }
}
