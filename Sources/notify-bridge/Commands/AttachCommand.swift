import ArgumentParser
import NotifyStore

/// `notify-bridge attach`.
struct AttachCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attach",
    abstract: "Has an existing table served: adds what is missing to it, while its backend goes on writing.",
    discussion: """
      What is not said is guessed from the table, shown, and asked about. Rows that are there are not sent.
      An empty text means that there is no such column. Repeat it at any time; `detach` undoes it.
      Rows are never deleted, unless --retention-days N says after how many days sent ones are; 0 ends that.

      Example:  notify-bridge attach public.workorder_notification --recipient recipient_id \\
                  --payload "jsonb_build_object('title', title) || coalesce(data, '{}')"
                notify-bridge attach --logins
      """)

  @Argument(help: "The table, as schema.name or name. May be left out with --logins.")
  var table: String?

  @Option(help: ArgumentHelp("Whom a row is for: integer, uuid or text.", valueName: "column"))
  var recipient: String?

  @Option(help: ArgumentHelp("What names a row: integer, uuid or text.", valueName: "column"))
  var id: String?

  @Option(
    help: ArgumentHelp("What clients get: a column, or an SQL expression over a row.", valueName: "column|expression"))
  var payload: String?

  @Option(
    help: ArgumentHelp("Set when a row was sent: a boolean, or a nullable timestamptz.", valueName: "column"))
  var sent: String?

  @Option(help: ArgumentHelp("When a row was made: timestamptz.", valueName: "column"))
  var created: String?

  @Option(
    help: ArgumentHelp("Set when a user has read a row: boolean or timestamptz.", valueName: "column"))
  var read: String?

  @Flag(help: "Have a logout, a changed password and the like of Django's tables close sockets at once.")
  var logins = false

  @Flag(help: "Don't ask.")
  var yes = false

  @Flag(help: "Attach also where a trigger that copies whole rows would fail.")
  var force = false

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    if table == nil, !logins { throw ValidationError("A table is missing: the one to serve, or --logins alone.") }
  }

  func run() throws {
    let settings = try options.settings(needing: [\.databaseURL])
    // The flag of a setting, and here of this table: the setting itself is about our own.
    let retentionDays = options.flags[Setting.of(\.store.retentionDays).id].flatMap { Int($0) }
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
      recipient: recipient, id: id, payload: payload, sent: sent, created: created, read: read,
      retentionDays: retentionDays, isForced: force)
    let plan = try AttachPlan.read(TableName.find(table, session), choices, session)
    for line in plan.lines { FileOutput.printLine(line) }
    if !yes { try Self.confirm("Attach it like this?", command: plan.command) }
    let interruption = InterruptHandler("Repeat the command: what is half done is finished, or removed by detach.")
    try withExtendedLifetime(interruption) { try Attachment(session: session, table: plan.table).run(choices) }
  }

  /// Asks, where there is somebody to ask.
  ///
  /// - Parameter command: what to type instead.
  static func confirm(_ question: String, command: String) throws {
    guard Terminal.isInteractive else {
      throw Failure(
        "nothing was changed, because there is no terminal to ask at", remedy: "Type: \(command)", status: .usage)
    }
    guard Terminal.agrees(to: question) else {
      throw Failure("nothing was changed", remedy: "Say what should be different: notify-bridge attach --help")
    }
  }
}
