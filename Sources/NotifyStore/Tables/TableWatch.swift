internal import Logging
internal import NotifyCore

/// Surveys the served tables, publishes those that can be served and reports the others.
struct TableWatch {
  private let tables: ServedTables
  private let status: BridgeStatus
  private let logger: Logger
  private var last: TableSurvey?

  init(_ tables: ServedTables, status: BridgeStatus, logger: Logger) {
    self.tables = tables
    self.status = status
    self.logger = logger
  }

  /// Surveys the tables.
  ///
  /// - Parameter needsOne: whether it fails where this role may read none of them.
  /// - Returns: whether there are some that were not served before: their unsent rows come by replay.
  /// - Throws: `schema` where there is no table, and the server's error where this role may read none.
  mutating func survey(_ connection: PGConnection, needsOne: Bool) throws(StoreError) -> Bool {
    let survey = try TableSurvey(connection)
    if survey.isEmpty {
      throw StoreError(
        .schema, message: "no table is served: public.notification is missing or was not made by notify-bridge",
        hint: "To serve an existing table: notify-bridge attach TABLE --recipient COLUMN")
    }
    if needsOne, survey.served.isEmpty, let problem = survey.problems.first(where: { $0.reason.contains("42501") }) {
      throw StoreError(
        .server, sqlstate: "42501", message: problem.description,
        hint: "As the tables' owner: SELECT notify_bridge.grant_to('this role')")
    }
    return publish(survey)
  }

  private mutating func publish(_ survey: TableSurvey) -> Bool {
    // Last: when a table counts as served, it is.
    defer { status.tablesFailing(survey.problems) }
    let previous = last
    guard survey != previous else { return false }
    last = survey
    for problem in survey.problems where previous?.problems.contains(problem) != true {
      logger.error("a table is not served", metadata: [LogKey.reason: "\(problem)"])
    }
    guard survey.served != previous?.served || survey.catalog != previous?.catalog else { return false }
    tables.publish(survey.served)
    status.catalog = survey.catalog
    return survey.served.contains { previous?.served.contains($0) != true }
  }
}
