internal import NotifyCore

/// The figures of the database that the console shows all the time.
///
/// Each is read on its own and kept for a time that grows with what reading it took: counting a large backlog again and
/// again would cost the server more than the figure is worth.
struct ConsoleOverview {
  /// Asks a statement and answers its JSON text.
  typealias Read = (_ sql: String, _ parameters: [String?]) throws(StoreError) -> String

  private struct Figure {
    let name: String
    let sql: String
    var json = "null"
    var problem: String?
    var readAt: ContinuousClock.Instant?
    var due: ContinuousClock.Instant?
  }

  private var figures = [
    Figure(name: "backlog", sql: "SELECT coalesce(json_agg(b), '[]') FROM notify_bridge.report_backlog() AS b"),
    Figure(
      name: "replicas",
      sql: """
        SELECT coalesce(json_agg(r ORDER BY r.id), '[]') FROM (
          SELECT id, host, pid, version, armed, started_at, touched_at FROM notify_bridge.replica
          ORDER BY id LIMIT \(ConsoleLimits.rows)) AS r
        """),
    Figure(
      name: "quarantine",
      sql: """
        SELECT json_build_object('count', (SELECT count(*) FROM notify_bridge.quarantined), 'rows', (
          SELECT coalesce(json_agg(q), '[]') FROM (
            SELECT source, row_id, stage, sqlstate, attempts, since, next_attempt FROM notify_bridge.quarantine
            ORDER BY since DESC LIMIT \(ConsoleLimits.rows)) AS q))
        """),
  ]

  /// The figures as a JSON object, each with its age in seconds and the problem of the last try.
  ///
  /// - Throws: only where there is no connection.
  mutating func json(now: ContinuousClock.Instant, _ read: Read) throws(StoreError) -> String {
    for index in figures.indices where figures[index].due.map({ $0 <= now }) ?? true {
      try Self.refresh(&figures[index], read)
    }
    let members = figures.map { figure in
      let age = figure.readAt.map { "\(max(0, (now - $0).components.seconds))" } ?? "null"
      let problem = figure.problem.map(JSONText.string) ?? "null"
      return #""\#(figure.name)":{"age":\#(age),"problem":\#(problem),"value":\#(figure.json)}"#
    }
    return "{\(members.joined(separator: ","))}"
  }

  private static func refresh(_ figure: inout Figure, _ read: Read) throws(StoreError) {
    let start = ContinuousClock.now
    do throws(StoreError) {
      figure.json = try read(figure.sql, [])
      figure.problem = nil
      figure.readAt = start
    } catch {
      guard error.concernsStatement else { throw error }
      figure.problem = error.loggable.description
    }
    let end = ContinuousClock.now
    figure.due = end + max(ConsoleLimits.freshness, (end - start) * ConsoleLimits.rest)
  }
}
