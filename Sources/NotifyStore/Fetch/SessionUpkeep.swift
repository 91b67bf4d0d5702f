internal import NotifyCore

/// When a session has to touch its replica row and to survey the served tables. A value; instants are arguments.
struct SessionUpkeep: Sendable, Equatable {
  private var lastHeartbeat: ContinuousClock.Instant
  private var lastSurvey: ContinuousClock.Instant
  private var isSurveyWanted = false

  /// Both were done when the session started.
  init(at now: ContinuousClock.Instant) {
    lastHeartbeat = now
    lastSurvey = now
  }

  /// Other tables may be served by now: attaching and detaching ring without a row.
  mutating func tablesMayHaveChanged() { isSurveyWanted = true }

  /// Whether the replica row is to be touched now.
  mutating func isHeartbeatDue(at now: ContinuousClock.Instant) -> Bool {
    guard now - lastHeartbeat > Limits.safetyInterval else { return false }
    lastHeartbeat = now
    isSurveyWanted = true
    return true
  }

  /// Whether the tables are to be surveyed now.
  mutating func isSurveyDue(at now: ContinuousClock.Instant) -> Bool {
    guard isSurveyWanted, now - lastSurvey > Limits.surveyInterval else { return false }
    isSurveyWanted = false
    lastSurvey = now
    return true
  }
}
