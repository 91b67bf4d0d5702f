internal import Logging
internal import NotifyCore

/// Surveys the served tables and reports those that can't be served. A table that fails is left out and tried again with
/// growing pauses.
struct TableWatch {
  /// The result of a survey.
  struct SurveyResult {
    /// Tables to serve from now on.
    var served: [TableMapping]
    /// The numbers of tables that can't be read.
    var missing: [Int32]
    /// Whether tables are served that were not there before: their unsent rows come by replay.
    var hasNew: Bool
    /// Tables that can be read again; they are not in `served` yet.
    var returned: [TableMapping]
    /// Tables that have failed, again or for the first time, each with its SQLSTATE.
    var failed: [(number: Int32, sqlstate: String)]
  }

  /// A table that can't be read.
  private struct Missing {
    var reason: String
    var backoff = Backoff()
    var nextTry: ContinuousClock.Instant
  }

  private let status: BridgeStatus
  private let logger: Logger
  private var served: [TableMapping]?
  /// The tables for clients.
  private(set) var catalog = TableCatalog()
  private var missing: [Int32: Missing] = [:]
  private var reported: [BridgeStatus.TableProblem] = []

  init(status: BridgeStatus, logger: Logger) {
    self.status = status
    self.logger = logger
  }

  /// Surveys the tables.
  ///
  /// - Parameters:
  ///   - needsOne: whether it fails where this role may read and mark none of them.
  ///   - hasWaited: whether a statement has waited for a lock already.
  ///   - now: a table that failed is tried again when its pause is over.
  /// - Throws: `schema` where there is no table, and the server's error where this role may read or mark none.
  mutating func survey(
    _ connection: PGConnection, needsOne: Bool, hasWaited: Bool, at now: ContinuousClock.Instant
  ) throws(StoreError) -> SurveyResult {
    let pausing = missing.filter { $0.value.nextTry > now }
    let failing = missing
    let survey = try TableSurvey(
      connection, marking: needsOne, waitsBriefly: { hasWaited || failing[$0] != nil },
      known: { pausing[$0]?.reason })
    if survey.isEmpty {
      throw StoreError(
        .schema, message: "no table is served: public.notification is missing or was not made by notify-bridge",
        hint: "To serve an existing table: notify-bridge attach TABLE --recipient COLUMN")
    }
    if needsOne, survey.served.count == survey.unmarkable.count {
      if let problem = survey.problems.first(where: \.lacksRight) {
        throw Self.missingRight("SELECT", problem, connection)
      }
      if let problem = survey.unmarkable.first(where: \.lacksRight) {
        throw Self.missingRight("UPDATE of its marks", problem, connection)
      }
    }
    return adopt(survey, pausing: Set(pausing.keys), at: now)
  }

  private static func missingRight(
    _ right: String, _ problem: BridgeStatus.TableProblem, _ connection: PGConnection
  ) -> StoreError {
    let role = (try? connection.query("SELECT current_user"))?.first?.first ?? nil
    return StoreError(
      .server, sqlstate: lackedRight, message: problem.description.replacing(" (SQLSTATE \(lackedRight))", with: ""),
      hint: """
        The right \(right) is missing. As the owner of the database: \
        SELECT notify_bridge.grant_to('\((role ?? "the role in DATABASE_URL").replacing("'", with: "''"))')
        """)
  }

  private mutating func adopt(
    _ survey: TableSurvey, pausing: Set<Int32>, at now: ContinuousClock.Instant
  ) -> SurveyResult {
    var failed: [(number: Int32, sqlstate: String)] = []
    for failure in survey.failures where !pausing.contains(failure.number) {
      var entry = missing[failure.number] ?? Missing(reason: failure.reason, nextTry: now)
      entry.reason = failure.reason
      entry.nextTry = now + max(entry.backoff.next(jitter: Double.random(in: 0..<1)), Limits.surveyInterval)
      missing[failure.number] = entry
      failed.append((failure.number, failure.sqlstate))
    }
    // A table that was forgotten.
    missing = missing.filter { entry in survey.catalog.tables.contains { $0.number == entry.key } }
    let returned = survey.served.filter { missing[$0.number] != nil }
    let current = survey.served.filter { missing[$0.number] == nil }
    report(survey)
    let hasNew = current.contains { served?.contains($0) != true }
    served = current
    catalog = survey.catalog
    return SurveyResult(
      served: current, missing: missing.keys.sorted(), hasNew: hasNew, returned: returned, failed: failed)
  }

  /// The rows of a table that had returned were delivered.
  ///
  /// - Returns: what is served from now on.
  mutating func caughtUp(_ table: TableMapping) -> SurveyResult {
    missing[table.number] = nil
    served = ((served ?? []) + [table]).sorted { $0.number < $1.number }
    return SurveyResult(served: served ?? [], missing: missing.keys.sorted(), hasNew: false, returned: [], failed: [])
  }

  /// Logs what is new. A notice is said as loudly as a problem: rows are not delivered.
  private mutating func report(_ survey: TableSurvey) {
    for problem in survey.problems where !reported.contains(problem) {
      logger.error("a table is not served", metadata: [LogKey.reason: "\(problem)"])
    }
    for notice in survey.notices where !reported.contains(notice) {
      logger.error("a served table was renamed", metadata: [LogKey.reason: "\(notice)"])
    }
    reported = survey.problems + survey.notices
    status.tablesFailing(reported)
  }
}

/// The SQLSTATE of a right that is missing.
private let lackedRight = "42501"

extension BridgeStatus.TableProblem {
  /// Whether the server refused for a right that is missing.
  fileprivate var lacksRight: Bool { reason.contains(lackedRight) }
}
