import NotifyAuth
import NotifyStore

/// Checks the backend's tables for logins, the rights on them, and the triggers that end access.
struct LoginChecks {
  private static let subject = "logins"

  /// A table of the backend.
  private struct LoginTable {
    let kind: String
    let name: String
    let isAttached: Bool
    let problem: String?
    /// Columns that the role may not read.
    let hidden: String?
    /// Triggers that do not fire always.
    let silent: String?

    /// Its use.
    var use: String {
      switch kind {
      case "session": "session cookies"
      case "token": "token keys"
      default: "users"
      }
    }
  }

  let settings: Settings

  func run(_ connection: PGConnection, _ report: inout CheckReport) throws {
    let tables = try read(connection)
    let needed = neededKinds
    var isWorking = true
    for table in tables where needed.contains(table.kind) || table.isAttached {
      if table.kind == "session", table.name.isEmpty {
        report.warn(
          Self.subject, "there is no table django_session, so only sessions in signed cookies log in",
          "If Django's SESSION_ENGINE is another one, choose db or signed_cookies")
      } else if let problem = table.problem {
        report.fail(Self.subject, "\(table.use): \(problem)", remedy(for: table))
        isWorking = false
      } else if let hidden = table.hidden {
        report.fail(
          Self.subject, "the role may not read \(hidden) of \(table.name)",
          (table.isAttached ? "" : "First: SELECT notify_bridge.attach_logins(). Then, ")
            + Remedy.grant(try role(connection)))
        isWorking = false
      } else if let silent = table.silent {
        report.warn(
          Self.subject, "\(table.name) has lost \(silent), so access continues when it should end",
          "As its owner: SELECT notify_bridge.attach_logins()")
      }
    }
    guard !needed.isEmpty, isWorking else { return }
    if tables.contains(where: { needed.contains($0.kind) && !$0.isAttached && !$0.name.isEmpty }) {
      report.warn(
        Self.subject, "logins are not attached: a logout or a deactivated user keeps open sockets open",
        "As the owner of Django's tables: notify-bridge attach --logins, or SELECT notify_bridge.attach_logins()")
    } else {
      report.ok(Self.subject, "Django's tables exist, and sockets close when access ends")
    }
  }

  /// The tables that the enabled login methods need.
  private var neededKinds: Set<String> {
    var kinds: Set<String> = []
    if settings.django.secretKey != nil { kinds.formUnion(["session", "user"]) }
    if settings.acceptsDRFTokens { kinds.formUnion(["token", "user"]) }
    return kinds
  }

  private func read(_ connection: PGConnection) throws -> [LoginTable] {
    let rows = try connection.query(
      """
      SELECT t.kind, t.relation::text, t.is_attached, t.problem,
        (SELECT pg_catalog.string_agg(a.attname::text, ', ' ORDER BY a.attnum) FROM pg_attribute AS a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
           AND a.attname = ANY (CASE t.kind
             WHEN 'session' THEN '{session_key,session_data,expire_date}'::name[]
             WHEN 'token' THEN '{key,user_id}'::name[]
             ELSE ARRAY[t.key_column, 'password', 'is_active'] END)
           AND NOT (pg_catalog.has_schema_privilege(c.relnamespace, 'USAGE') AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT'))),
        (SELECT pg_catalog.string_agg('its trigger for ' || w.event, ', ' ORDER BY w.event) FROM (VALUES ('update'), ('delete'), ('truncate')) AS w (event)
         WHERE t.is_attached AND NOT (t.kind = 'session' AND w.event = 'update') AND NOT EXISTS (
           SELECT FROM pg_trigger AS g
           WHERE g.tgrelid = c.oid AND g.tgname = 'notify_bridge_revoke_' || w.event AND g.tgenabled = 'A'))
      FROM notify_bridge.login_tables($1) AS t LEFT JOIN pg_class AS c ON c.oid = t.relation::oid
      """, [settings.djangoUserTable])
    return rows.map { row in
      LoginTable(
        kind: row[0] ?? "", name: row[1] ?? "", isAttached: row[2] == "t", problem: row[3], hidden: row[4],
        silent: row[5])
    }
  }

  private func role(_ connection: PGConnection) throws -> String {
    try connection.query("SELECT current_user").first?.first.flatMap { $0 } ?? ""
  }

  private func remedy(for table: LoginTable) -> String {
    switch table.kind {
    case "session": "The columns are those of Django's own table: session_key, session_data, expire_date"
    case "token":
      "Run Django's migrations of rest_framework.authtoken, or leave \(Setting.of(\.acceptsDRFTokens).variable) out"
    default: "Name it: \(Setting.of(\.djangoUserTable).variable)"
    }
  }
}
