import Foundation
import NotifyStore

/// Attaches a table while others write to it. It may be interrupted at any time and repeated.
struct Attachment {
  let session: AttachSession
  let table: TableName

  /// Adds the missing parts, then the indexes, and prints each step.
  func run(_ choices: AttachPlan.Choices) throws {
    try session.claim(table)
    let rows = try session.retryLocked(
      "SELECT step, what FROM notify_bridge.attach($1::int8::oid::regclass, \(AttachPlan.Choices.types), force => $10::bool)",
      [table.number] + choices.parameters + [choices.isForced ? "t" : "f"], on: table)
    let lines = rows.compactMap { row in row[1].map { (step: row[0] ?? "", what: TerminalText.escaped($0)) } }
    for line in lines where line.step == "did" { FileOutput.printLine(line.what) }
    try buildIndexes()
    for line in lines where line.step == "todo" { FileOutput.printLine("still to do: \(line.what)") }
    for line in lines where line.step == "note" { FileOutput.printLine("note: \(line.what)") }
    let problem = try session.query(
      "SELECT problem FROM notify_bridge.served WHERE relation::oid = $1::int8::oid", [table.number])
    if let problem = problem.first?.first ?? nil { throw CommandFailure("\(table.name) is not served: \(problem)") }
    // Running bridges serve it now that the indexes exist.
    try session.query("SELECT pg_catalog.pg_notify('notify_bridge', '')")
    let changed = lines.contains { $0.step == "did" }
    FileOutput.printLine("\(table.name) is served\(changed ? "" : ": nothing had to be changed")")
  }

  /// Builds the missing indexes, each in a separate transaction.
  private func buildIndexes() throws {
    var last = ""
    while true {
      let steps = try session.query(
        "SELECT what, statement FROM notify_bridge.index_steps($1::int8::oid::regclass)", [table.number])
      guard let step = steps.first, let what = step[0], let statement = step[1] else { return }
      guard statement != last else {
        throw CommandFailure(
          "an index is still missing after its statement: \(TerminalText.escaped(statement))",
          remedy: "Repeat the command.")
      }
      last = statement
      try run(statement)
      FileOutput.printLine(TerminalText.escaped(what))
    }
  }

  private func run(_ statement: String) throws {
    let isConcurrent = statement.contains(" CONCURRENTLY ")
    // A concurrent build blocks no writer, however long it waits for locks.
    if !session.connection.isPooled {
      try session.connection.query(
        "SELECT pg_catalog.set_config('lock_timeout', \(isConcurrent ? "'0'" : "notify_bridge.brief_lock_timeout()"), false)"
      )
    }
    guard isConcurrent else {
      _ = try session.retryLocked(statement, on: table)
      return
    }
    FileOutput.printLine("running, without blocking writers: \(TerminalText.escaped(statement))")
    let progress = IndexProgress(session)
    defer { progress.stop() }
    do {
      try session.connection.query(statement, timeout: .seconds(86_400))
    } catch {
      throw CommandFailure(
        error.description, remedy: "Repeat the command: it removes the half-built index and continues.")
    }
  }
}
