import ArgumentParser
import NotifyStore

/// `notify-bridge detach`.
struct DetachCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "detach",
    abstract: "Undoes attach: drops the columns and triggers that it added to a table, and stops serving the table.",
    discussion: """
      detach public.notification drops that table where migrate made it, if it is empty.

      Example:  notify-bridge detach public.workorder_notification --yes
                notify-bridge detach --logins
      """)

  @Argument(help: "The table, as schema.name or name; also one that was dropped. Optional with --logins.")
  var table: String?

  @Flag(help: "Drop the triggers that attach --logins put on Django's tables.")
  var logins = false

  @Flag(help: "Skip the confirmation.")
  var yes = false

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    if table == nil, !logins { throw ValidationError("A table is missing: the one to detach, or --logins alone.") }
  }

  func run() throws {
    let settings = try options.settings(needing: [\.databaseURL])
    let session = try AttachSession.open(settings)
    defer { session.connection.close() }
    if let table { try detach(table, session) }
    if logins {
      for line in try DjangoTriggers.detach(session.connection) { FileOutput.printLine(TerminalText.escaped(line)) }
    }
  }

  private func detach(_ table: String, _ session: AttachSession) throws {
    let found =
      try TableName.findDropped(table, session.connection)
      ?? TableName.find(table, session.connection)
    let known = try session.query(
      """
      SELECT is_own, pg_catalog.array_to_string(
        ARRAY(SELECT pg_catalog.jsonb_array_elements_text(added -> 'columns'::text)), ' and ')
      FROM notify_bridge.source WHERE relation::oid = $1::int8::oid
      """, [found.number])
    guard let mapping = known.first else {
      return FileOutput.printLine("\(found.name) is not attached: nothing to do")
    }
    if found.exists {
      let loss =
        mapping[0] == "t"
        ? "\(found.name) is dropped if it is empty: it is notify-bridge's own table."
        : "\(found.name) loses the trigger notify_bridge_ring, and \(mapping[1] ?? "") with their values."
      FileOutput.printLine(TerminalText.escaped(loss))
    }
    if !yes {
      try AttachCommand.confirm(
        "Detach it?", command: "notify-bridge detach \(Terminal.quoted(found.name)) --yes")
    }
    try session.claim(found)
    let rows = try session.retryLocked(
      "SELECT step, what FROM notify_bridge.detach($1::int8::oid::regclass)", [found.number], on: found)
    for row in rows {
      FileOutput.printLine((row[0] == "note" ? "note: " : "") + TerminalText.escaped(row[1] ?? ""))
    }
  }
}
