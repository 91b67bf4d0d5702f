import NotifyStore

/// The result that attaching would have: the options given, and the rest as the database infers it.
struct AttachPlan {
  /// The options given on the command line; an empty text means none.
  struct Choices {
    var recipient: String?
    var id: String?
    var payload: String?
    var sent: String?
    var created: String?
    var createdZone: String?
    var read: String?
    var retentionDays: Int?
    var isForced = false

    /// The arguments of `notify_bridge.attach_plan`, after the table; and with their types.
    static let types = "$2::name, $3::name, $4, $5::name, $6::name, $7::name, $8::int4, created_zone => $9"
    var parameters: [String?] {
      [recipient, id, payload, sent, created, read, retentionDays.map(String.init), createdZone]
    }
  }

  let table: TableName
  let choices: Choices
  private let parts: [String: String]

  /// Queries the database. Changes nothing.
  static func read(_ table: TableName, _ choices: Choices, _ session: AttachSession) throws -> AttachPlan {
    let columns = [
      "recipient_column", "recipient_kind", "id_column", "id_kind", "payload", "payload_column", "sent_column",
      "sent_at_column", "created_column", "created_zone", "read_column", "read_at_column", "retention_days",
      "txid_column", "is_own",
    ]
    let rows = try session.query(
      "SELECT \(columns.map { "p.\($0)" }.joined(separator: ", ")), "
        + "NOT EXISTS (SELECT FROM notify_bridge.source AS s WHERE s.relation::oid = p.relation::oid) "
        + "FROM notify_bridge.attach_plan($1::int8::oid::regclass, \(Choices.types)) AS p",
      [table.number] + choices.parameters)
    let pairs = zip(columns + ["is_new"], rows.first ?? []).compactMap { name, value in value.map { (name, $0) } }
    return AttachPlan(table: table, choices: choices, parts: Dictionary(pairs) { first, _ in first })
  }

  /// The plan for people, a line each.
  var lines: [String] {
    func list(_ names: String...) -> String {
      let columns = names.compactMap { parts[$0] }
      return columns.isEmpty ? "no column" : columns.joined(separator: ", ")
    }
    var lines = [
      table.name,
      "  recipient  \(list("recipient_column")) (\(parts["recipient_kind"] ?? ""))",
      "  id         \(list("id_column")) (\(parts["id_kind"] ?? ""))",
      "  payload    \(list("payload"))",
      "  sent       \(list("sent_column", "sent_at_column"))",
      "  created    \(list("created_column"))\(parts["created_zone"].map { " (in the time zone \($0))" } ?? "")",
      "  read       \(list("read_column", "read_at_column"))",
    ]
    if parts["is_own"] == "f" {
      lines.append(
        "  retention  "
          + (parts["retention_days"].map { "sent rows are deleted after \($0) days" } ?? "rows are never deleted"))
    }
    if parts["is_new"] == "t" {
      let txid = parts["txid_column"] ?? ""
      lines.append(
        "It gets columns \(txid) and \(parts["sent_at_column"] ?? "") unless it has them, a trigger, and indexes on "
          + "(\(txid)) and (\(parts["recipient_column"] ?? ""), \(txid)). Existing rows are not sent.")
    } else {
      lines.append("It is served already: missing parts are added, and options that differ are changed.")
    }
    return lines.map(TerminalText.escaped)
  }

  /// The command that does exactly this without confirmation.
  var command: String {
    var words = ["notify-bridge", "attach", table.name]
    func add(_ option: String, _ given: String?, _ inferred: String...) {
      guard let value = given ?? inferred.compactMap({ parts[$0] }).first else { return }
      words += [option, value]
    }
    add("--recipient", choices.recipient, "recipient_column")
    add("--id", choices.id, "id_column")
    add("--payload", choices.payload, "payload_column", "payload")
    add("--sent", choices.sent, "sent_column")
    add("--created", choices.created, "created_column")
    add("--created-zone", choices.createdZone, "created_zone")
    add("--read", choices.read, "read_column", "read_at_column")
    add("--retention-days", choices.retentionDays.map(String.init), "retention_days")
    if choices.isForced { words.append("--force") }
    return (words + ["--yes"]).map(Terminal.quoted).joined(separator: " ")
  }
}
