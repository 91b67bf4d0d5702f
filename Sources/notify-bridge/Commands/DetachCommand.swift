import ArgumentParser
import NotifyStore

/// `notify-bridge detach`.
struct DetachCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "detach",
    abstract: "Undoes attach: drops what it added to a table, nothing else, and stops serving it.",
    discussion: """
      Example:  notify-bridge detach public.workorder_notification --yes
                notify-bridge detach --logins
      """)

  @Argument(help: "The table, as schema.name or name; also one that was dropped. May be left out with --logins.")
  var table: String?

  @Flag(help: "Take what attach --logins added from Django's tables.")
  var logins = false

  @Flag(help: "Don't ask.")
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
      SELECT array_to_string(ARRAY(SELECT jsonb_array_elements_text(added -> 'columns')), ' and ')
      FROM notify_bridge.source WHERE relation = $1::int8::oid
      """, [found.number])
    guard let columns = known.first?.first else {
      return FileOutput.printLine("\(found.name) is not attached: nothing to do")
    }
    if found.exists {
      FileOutput.printLine(
        TerminalText.escaped(
          "\(found.name) loses the trigger notify_bridge_ring, and \(columns ?? "") with what they hold."))
    }
    if !yes {
      try AttachCommand.confirm(
        "Detach it?", command: "notify-bridge detach \(Terminal.quoted(found.name)) --yes")
    }
    try session.claim(found)
    let rows = try session.insist(
      "SELECT step, what FROM notify_bridge.detach($1::int8::oid::regclass)", [found.number], on: found)
    for row in rows {
      FileOutput.printLine((row[0] == "note" ? "note: " : "") + TerminalText.escaped(row[1] ?? ""))
    }
  }
}
