package import NotifyCore
internal import Synchronization

/// Answers the console's questions on a connection of its own, which is opened by the first one and closed a minute after
/// the last.
///
/// Nothing of delivery waits for it: it has its own thread, asks one statement at a time and gives each up after
/// `ConsoleLimits.statement`. It is no part of readiness.
package actor ConsoleReader: DatabaseService, ConsoleDatabase {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  package nonisolated let thread = DedicatedThread(name: "nb-console")
  package nonisolated let signal: StopSignal

  private static let insufficientPrivilege = "42501"

  private struct PendingQuestion: Sendable {
    let question: ConsoleQuestion
    let asked = ContinuousClock.now
    let answer: CheckedContinuation<ConsoleAnswer, Never>
  }

  private nonisolated let inbox = Inbox<PendingQuestion>()
  private nonisolated let waiting = Atomic<Int>(0)
  private let connection: PGConnection
  private let settings: StoreSettings
  private var overview = ConsoleOverview()

  package init(_ store: Store) throws(StoreError) {
    settings = store.settings
    connection = try PGConnection(pooler: store.settings.pooler)
    signal = StopSignal(connection.waker)
  }

  package nonisolated func ask(_ question: ConsoleQuestion) async -> ConsoleAnswer {
    guard waiting.add(1, ordering: .relaxed).newValue <= ConsoleLimits.questions else {
      waiting.subtract(1, ordering: .relaxed)
      return .unavailable("too many questions wait for the database")
    }
    defer { waiting.subtract(1, ordering: .relaxed) }
    return await withCheckedContinuation { continuation in
      switch inbox.append(PendingQuestion(question: question, answer: continuation)) {
      case 0?: signal.wake()
      case nil: continuation.resume(returning: .unavailable("the bridge is stopping"))
      default: break
      }
    }
  }

  /// Answers questions until it is stopped; questions pending then are answered as unavailable.
  package func work() async {
    while !signal.isStopped {
      let pending = inbox.takeAll()
      for one in pending { one.answer.resume(returning: answer(one)) }
      guard pending.isEmpty else { continue }
      let isWoken = (try? connection.wait(ConsoleLimits.idle))?.isWoken ?? false
      if !isWoken { connection.close() }
    }
    inbox.close()
    for one in inbox.takeAll() { one.answer.resume(returning: .unavailable("the bridge is stopping")) }
    connection.close()
  }

  // MARK: Statements

  private func answer(_ pending: PendingQuestion) -> ConsoleAnswer {
    if signal.isStopped { return .unavailable("the bridge is stopping") }
    // Behind statements that took long: the person has not waited for it any more.
    if .now - pending.asked > ConsoleLimits.statement { return .unavailable("the database is busy") }
    return answer(pending.question)
  }

  private func answer(_ question: ConsoleQuestion) -> ConsoleAnswer {
    do throws(StoreError) {
      if question == .overview {
        return .json(
          try overview.json(now: .now) { sql, parameters throws(StoreError) in try self.read(sql, parameters) })
      }
      let statement = question.statement
      return .json(try read(statement.sql, statement.parameters))
    } catch {
      let loggable = error.loggable
      let isMissingRight = error.sqlstate == Self.insufficientPrivilege && error.hint.isEmpty
      let hint = isMissingRight ? "Run notify_bridge.grant_to for the bridge's role again" : loggable.hint
      let text = hint.isEmpty ? loggable.description : "\(loggable.description). \(hint)"
      // A bad value, or a table that is not served.
      let isRefused = error.code == .server && !error.isLockConflict && !isMissingRight && connection.isConnected
      return isRefused ? .refused(text) : .unavailable(text)
    }
  }

  /// Reads the one JSON text that a statement answers.
  private func read(_ sql: String, _ parameters: [String?]) throws(StoreError) -> String {
    if !connection.isConnected {
      try connection.connect(
        url: settings.url, applicationName: "\(settings.applicationName) console", timeout: Limits.connectTimeout)
    }
    do {
      let rows = try connection.query(sql, parameters, timeout: ConsoleLimits.statement)
      return (rows.first?.first ?? nil) ?? "null"
    } catch {
      if !error.concernsStatement { connection.close() }
      throw error
    }
  }
}
