/// The keys of log metadata, so that a search finds all places of one thing.
package enum LogKey {
  package static let user = "user"
  package static let remote = "remote"
  package static let reason = "reason"
  package static let detail = "detail"
  package static let code = "code"
  package static let closedBy = "closed_by"
  package static let durationSeconds = "duration_s"
  package static let messages = "messages"
  package static let origin = "origin"
  package static let rows = "rows"
  package static let epoch = "epoch"
  package static let state = "state"
  package static let source = "source"
  package static let rowID = "row_id"
  package static let stage = "stage"
  package static let sqlstate = "sqlstate"
}
