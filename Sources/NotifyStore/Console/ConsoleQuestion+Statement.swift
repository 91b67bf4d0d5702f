internal import NotifyCore

/// The statements of the console. Each calls a function that psql and the commands call too, and answers one JSON text.
extension ConsoleQuestion {
  /// The statement of every question but `overview`.
  var statement: (sql: String, parameters: [String?]) {
    switch self {
    case .overview:
      ("SELECT NULL", [])
    case .rows(let user):
      (
        "SELECT coalesce(json_agg(r), '[]') FROM notify_bridge.user_rows($1, NULL, \(ConsoleLimits.rows)) AS r",
        [user.text]
      )
    case .timeline(let source, let id):
      ("SELECT coalesce(json_agg(t), '[]') FROM notify_bridge.timeline($1::text, $2::text) AS t", [source, id])
    case .resend(let source, let id):
      ("SELECT json_build_object('rows', notify_bridge.resend($1::text::regclass, ARRAY[$2::text]))", [source, id])
    case .disconnect(let user):
      ("SELECT json_build_object('user', $1::text) FROM notify_bridge.disconnect_user($1::text)", [user.text])
    case .test(let user, let source):
      ("SELECT to_json(t) FROM notify_bridge.send_test($1, $2) AS t", [user.text, source])
    case .retry(let source, let id):
      (
        """
        SELECT json_build_object('rows', notify_bridge.retry_quarantined(
          $1::text::regclass, CASE WHEN $2::text IS NOT NULL THEN ARRAY[$2::text] END))
        """, [source, id]
      )
    }
  }
}
