import Foundation
import NotifyCore
import NotifyStore

/// Prints the progress of an index build every few seconds, from a separate thread and connection.
final class IndexProgress: Sendable {
  private static let interval: TimeInterval = 5

  private let stopped = NSCondition()
  nonisolated(unsafe) private var isStopped = false

  /// Watches the session's next statement.
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

  /// Waits for the end, or for the next report.
  ///
  /// - Returns: whether it was the end.
  private func waitStopped() -> Bool {
    stopped.withLock {
      let deadline = Date(timeIntervalSinceNow: Self.interval)
      while !isStopped, stopped.wait(until: deadline) {}
      return isStopped
    }
  }
}
