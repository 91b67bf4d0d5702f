import ArgumentParser
import Foundation
import NotifyCore
import NotifyStore

/// `notify-bridge send`.
struct SendCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "send",
    abstract: "Inserts a notification, as a backend would, and prints its id.",
    discussion: """
      Example:  notify-bridge send --user 42 --data '{"title": "Your order is ready"}'
      """)

  @Option(help: ArgumentHelp("The recipient.", valueName: "id"))
  var user: String

  @Option(help: ArgumentHelp("The payload; - reads it from standard input.", valueName: "json"))
  var data: String

  @Option(help: "The served table, if there are several.")
  var table: String?

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    guard UserID(user) != nil else {
      throw ValidationError("--user is a text of 1 to \(Limits.userIDBytes) bytes.")
    }
  }

  func run() throws {
    let settings = try options.settings(needing: [\.databaseURL])
    let url = try Database.url(settings)
    let payload = try data == "-" ? Self.readStandardInput() : data
    let connection = try Database.connect(url)
    defer { connection.close() }
    FileOutput.printLine(try insert(payload, connection))
  }

  private func insert(_ payload: String, _ connection: PGConnection) throws -> String {
    let survey: TableSurvey
    do throws(StoreError) {
      survey = try TableSurvey(connection)
    } catch {
      guard error.sqlstate == "42501" else { throw error }
      throw CommandFailure(error.description, remedy: MissingRights.toUseSchema(connection))
    }
    let served = survey.served
    if served.isEmpty, let problem = survey.problems.first {
      throw CommandFailure("no table can be served. \(problem.description)", remedy: "Run: notify-bridge check")
    }
    try connection.useSearchPathOfRole()
    let mapping = try mapping(among: served, connection)
    let table = TableCatalog.Table(
      number: mapping.number, name: mapping.relation, recipientKind: mapping.recipientKind)
    guard let user = UserID(user)?.canonical(among: TableCatalog([table])), user.fits(mapping.recipientKind) else {
      throw CommandFailure(
        "--user is \"\(TerminalText.shortened(user, to: 60))\", and \(mapping.relation).\(mapping.recipient) is "
          + "\(mapping.recipientKind.rawValue)")
    }
    guard mapping.payloadColumn != nil else {
      throw CommandFailure(
        "\(mapping.relation) builds its payload from several columns; --data is not valid for it",
        remedy: "INSERT the row by SQL, as your backend does.")
    }
    try connection.serve([mapping])
    do throws(StoreError) {
      return try connection.insert(into: mapping.number, user: user.text, data: payload)
    } catch {
      if error.sqlstate == "42501" {
        throw CommandFailure(error.description, remedy: MissingRights.toInsert(connection, into: mapping))
      }
      // The server alone knows what it takes.
      guard ["22P02", "22P05"].contains(error.sqlstate) else { throw error }
      throw CommandFailure(
        "--data is no JSON that PostgreSQL takes: \(TerminalText.escaped(error.description))",
        remedy: "A text needs quotes inside: --data '\"hello\"'", status: .usage)
    }
  }

  /// The table to insert into: `--table`, or the only one, or `public.notification`.
  private func mapping(among served: [TableMapping], _ connection: PGConnection) throws -> TableMapping {
    let names = served.map(\.relation).joined(separator: ", ")
    let remedy = served.isEmpty ? "Run: notify-bridge migrate" : "Served is: \(names)"
    guard let table else {
      if let only = served.count == 1 ? served[0] : served.first(where: { $0.relation == "public.notification" }) {
        return only
      }
      throw CommandFailure("--table is missing: it names the table to insert into", remedy: remedy)
    }
    let rows = try connection.query(
      """
      SELECT pg_catalog.format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
      WHERE c.oid = pg_catalog.to_regclass($1)::oid
      """, [table])
    guard let name = rows.first?.first ?? nil else {
      throw CommandFailure("there is no table \(TerminalText.shortened(table, to: 80))", remedy: remedy)
    }
    guard let mapping = served.first(where: { $0.relation == name }) else {
      throw CommandFailure("\(name) is not served", remedy: remedy)
    }
    return mapping
  }

  private static func readStandardInput() throws -> String {
    let bytes = FileHandle.standardInput.readDataToEndOfFile()
    guard !bytes.contains(0), let text = String(data: bytes, encoding: .utf8) else {
      throw ValidationError("standard input is not JSON.")
    }
    return text
  }
}
