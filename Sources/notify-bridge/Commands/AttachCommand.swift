import ArgumentParser
import NotifyStore

/// `notify-bridge attach`.
struct AttachCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attach",
    abstract:
      "Uses an existing table: adds the columns, trigger and indexes it lacks, while its backend keeps writing.",
    discussion: """
      Options you omit are inferred from the table and shown for confirmation. Existing rows are not sent.
      An empty text means that there is no such column. It is safe to repeat; `detach` undoes it.
      --retention-days N deletes sent rows after N days; without it, and with 0, rows are never deleted.

      Example:  notify-bridge attach public.workorder_notification --recipient recipient_id \\
                  --payload "jsonb_build_object('title', title) || coalesce(data, '{}')"
                notify-bridge attach --logins
      """)

  @Argument(help: "The table, as schema.name or name. May be left out with --logins.")
  var table: String?

  @Option(help: ArgumentHelp("The recipient: integer, uuid or text.", valueName: "column"))
  var recipient: String?

  @Option(help: ArgumentHelp("The row's id: integer, uuid or text.", valueName: "column"))
  var id: String?

  @Option(
    help: ArgumentHelp(
      "The payload for clients: a column, or an SQL expression over a row.", valueName: "column|expression"))
  var payload: String?

  @Option(
    help: ArgumentHelp("Set when a row was sent: a boolean, or a nullable timestamptz.", valueName: "column"))
  var sent: String?

  @Option(help: ArgumentHelp("The time of the row: timestamptz, or timestamp.", valueName: "column"))
  var created: String?

  @Option(help: ArgumentHelp("The time zone of a timestamp without one.", valueName: "zone"))
  var createdZone: String?

  @Option(
    help: ArgumentHelp("Set when a user has read a row: boolean or timestamptz.", valueName: "column"))
  var read: String?

  @Flag(help: "Close sockets at once on a logout, a changed password and the like in Django's tables.")
  var logins = false

  @Flag(help: "Skip the confirmation.")
  var yes = false

  @Flag(help: "Attach even if a trigger that copies whole rows would fail.")
  var force = false

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    if table == nil, !logins { throw ValidationError("A table is missing: the one to serve, or --logins alone.") }
  }

  func run() throws {
    let settings = try options.settings(needing: [\.databaseURL])
    // The flag of a setting. Here it concerns the attached table; the setting concerns the bridge's own table.
    let retentionDays = options.flags[Setting.of(\.store.retention.days).id].flatMap { Int($0) }
    let session = try AttachSession.open(settings)
    defer { session.connection.close() }
    if let table { try attach(table, retentionDays: retentionDays, session) }
    if logins {
      for line in try DjangoTriggers.attach(session.connection, userTable: settings.djangoUserTable) {
        FileOutput.printLine(TerminalText.escaped(line))
      }
    }
  }

  private func attach(_ table: String, retentionDays: Int?, _ session: AttachSession) throws {
    let choices = AttachPlan.Choices(
      recipient: recipient, id: id, payload: payload, sent: sent, created: created, createdZone: createdZone,
      read: read, retentionDays: retentionDays, isForced: force)
    let plan = try AttachPlan.read(TableName.find(table, session.connection), choices, session)
    for line in plan.lines { FileOutput.printLine(line) }
    if !yes { try Self.confirm("Attach it like this?", command: plan.command) }
    let interruption = InterruptHandler("Repeat the command to finish, or run detach to undo it.")
    try withExtendedLifetime(interruption) { try Attachment(session: session, table: plan.table).run(choices) }
  }

  /// Asks for confirmation on a terminal.
  ///
  /// - Parameter command: the command that needs no confirmation, for the error where there is no terminal.
  static func confirm(_ question: String, command: String) throws {
    guard Terminal.isInteractive else {
      throw CommandFailure(
        "nothing was changed: there is no terminal for the confirmation", remedy: "Type: \(command)", status: .usage)
    }
    guard Terminal.confirms(question) else {
      throw CommandFailure(
        "nothing was changed", remedy: "Choose other columns with options: notify-bridge attach --help")
    }
  }
}
