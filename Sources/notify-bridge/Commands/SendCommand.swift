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

  @ArgumentParser.Option(help: ArgumentHelp("The recipient.", valueName: "id"))
  var user: String

  @ArgumentParser.Option(help: ArgumentHelp("The payload; - reads it from standard input.", valueName: "json"))
  var data: String

  @ArgumentParser.Option(help: "The table to insert into.")
  var table: String?

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    guard UserID(user) != nil else {
      throw ValidationError("--user is a text of 1 to \(Limits.userIDBytes) bytes.")
    }
    if data != "-", !Self.isJSON(Data(data.utf8)) {
      throw ValidationError("--data is no JSON. A text needs quotes inside: --data '\"hello\"'.")
    }
  }

  func run() throws {
    let settings = try options.settings(needing: [.databaseURL])
    let url = try Database.url(settings)
    let payload = try data == "-" ? Self.readStandardInput() : data
    let connection = try Database.connect(url)
    defer { connection.close() }
    FileOutput.printLine(try insert(payload, connection))
  }

  private func insert(_ payload: String, _ connection: Connection) throws -> String {
    guard let table else { return String(try connection.insert(user: user, data: payload)) }
    let quoted = try connection.query("SELECT to_regclass($1)::text", [table]).first?.first ?? nil
    guard let quoted else {
      throw Failure("there is no table \(Line.shortened(table, to: 80))", remedy: "Served is: public.notification")
    }
    let rows = try connection.query(
      "INSERT INTO \(quoted) (user_id, data) VALUES ($1, $2) RETURNING id", [user, payload])
    guard let id = rows.first?.first ?? nil else { throw Failure("the table's own trigger left the row out") }
    return id
  }

  private static func isJSON(_ bytes: Data) -> Bool {
    (try? JSONSerialization.jsonObject(with: bytes, options: .fragmentsAllowed)) != nil
  }

  private static func readStandardInput() throws -> String {
    let bytes = FileHandle.standardInput.readDataToEndOfFile()
    guard isJSON(bytes), let text = String(data: bytes, encoding: .utf8) else {
      throw ValidationError("what came on standard input is no JSON.")
    }
    return text
  }
}
