import Foundation
import NIOCore
import NIOHTTP1
package import NotifyCore
package import NotifyGateway

/// The demo page and its requests.
package struct DemoRoutes: Sendable {
  /// A user of the demo.
  struct User: Sendable, Equatable {
    let id: String
    let name: String
  }

  /// A request that the demo does not answer: 400.
  private struct BadRequest: Error {
    let problem: String
  }

  /// The users. They need no table: a user is an id in a token and in a row.
  static let users = [
    User(id: "1", name: "Customer"), User(id: "2", name: "Technician"), User(id: "3", name: "Dispatcher"),
  ]

  /// The most ids in one request.
  private static let maximumIDs = 200

  private let version: String
  private let path: String
  private let database: DemoDatabase
  private let psqlLine: String
  private let makeToken: @Sendable (String) throws -> Secret

  /// Makes the demo.
  ///
  /// - Parameters:
  ///   - version: the program's version.
  ///   - path: the path of the WebSocket.
  ///   - psqlLine: the line that opens `psql` at the database.
  ///   - makeToken: makes a token for a user's id.
  package init(
    version: String, path: String, database: DemoDatabase, psqlLine: String,
    makeToken: @escaping @Sendable (String) throws -> Secret
  ) {
    self.version = version
    self.path = path
    self.database = database
    self.psqlLine = psqlLine
    self.makeToken = makeToken
  }

  /// The lines of the table.
  package var routes: [Route] {
    [
      Route(.GET, "/") { page($0, "text/html; charset=utf-8", DemoPage.html) },
      Route(.GET, "/demo/demo.css") { page($0, "text/css; charset=utf-8", DemoPage.css) },
      Route(.GET, "/demo/demo.js") { page($0, "text/javascript; charset=utf-8", DemoPage.javascript) },
      Route(.GET, "/demo/config") { request in await response(to: request) { configuration } },
      Route(.GET, "/demo/sent") { request in await response(to: request) { try await sent(request) } },
      Route(.POST, "/demo/token") { request in await response(to: request) { try token(request) } },
      Route(.POST, "/demo/notifications") { request in await response(to: request) { try await insert(request) } },
    ]
  }

  // MARK: Answers

  private var configuration: String {
    let users = Self.users.map { #"{"id":\#(JSONText.string($0.id)),"name":\#(JSONText.string($0.name))}"# }
    return #"{"version":\#(JSONText.string(version)),"path":\#(JSONText.string(path)),"#
      + #""psql":\#(JSONText.string(psqlLine)),"users":[\#(users.joined(separator: ","))]}"#
  }

  private func token(_ request: HTTPRequest) throws -> String {
    let user = try Self.user(in: try Self.object(request))
    let token = try makeToken(user)
    return #"{"token":\#(JSONText.string(token.exposed))}"#
  }

  private func insert(_ request: HTTPRequest) async throws -> String {
    let object = try Self.object(request)
    let user = try Self.user(in: object)
    guard let data = object["data"],
      let json = try? JSONSerialization.data(
        withJSONObject: data, options: [.fragmentsAllowed, .withoutEscapingSlashes])
    else { throw BadRequest(problem: "\"data\" is missing") }
    let id = try await database.insert(user: user, data: String(decoding: json, as: UTF8.self))
    return #"{"id":\#(id)}"#
  }

  private func sent(_ request: HTTPRequest) async throws -> String {
    let parameter = request.query("ids") ?? ""
    let ids = parameter.split(separator: ",").compactMap { Int64($0) }.prefix(Self.maximumIDs)
    let sent = try await database.sent(Array(ids))
    return #"{"sent":[\#(sent.map(String.init).joined(separator: ","))]}"#
  }

  // MARK: Requests

  private static func object(_ request: HTTPRequest) throws -> [String: Any] {
    let body = Data(request.body.readableBytesView)
    guard let object = try? JSONSerialization.jsonObject(with: body) as? [String: Any] else {
      throw BadRequest(problem: "the body is not a JSON object")
    }
    return object
  }

  private static func user(in object: [String: Any]) throws -> String {
    guard let user = object["user"] as? String, users.contains(where: { $0.id == user }) else {
      throw BadRequest(problem: "\"user\" is not one of the demo's")
    }
    return user
  }

  // MARK: Responses

  private func page(_ request: HTTPRequest, _ type: String, _ bytes: [UInt8]) -> HTTPResponse {
    if let refusal = Self.refusal(request) { return Self.json(.forbidden, Self.problem(refusal)) }
    var headers = Self.headers(type)
    headers.add(name: "Content-Security-Policy", value: Self.policy(host: request.headers.first(name: "host") ?? ""))
    return HTTPResponse(.ok, headers, body: ByteBuffer(bytes: bytes))
  }

  private func response(to request: HTTPRequest, _ work: () async throws -> String) async -> HTTPResponse {
    if let refusal = Self.refusal(request) { return Self.json(.forbidden, Self.problem(refusal)) }
    do {
      return Self.json(.ok, try await work())
    } catch let error as BadRequest {
      return Self.json(.badRequest, Self.problem(error.problem))
    } catch {
      return Self.json(.serviceUnavailable, Self.problem("\(error)"))
    }
  }

  private static func refusal(_ request: HTTPRequest) -> String? {
    DemoRequestRules.refusal(
      host: field("host", of: request), origin: field("origin", of: request), isPost: request.method == .POST,
      contentType: field("content-type", of: request))
  }

  private static func field(_ name: String, of request: HTTPRequest) -> String? {
    let values = request.headers[name]
    return values.isEmpty ? nil : values.joined(separator: ", ")
  }

  private static func problem(_ text: String) -> String { #"{"error":\#(JSONText.string(text))}"# }

  private static func json(_ status: HTTPResponseStatus, _ text: String) -> HTTPResponse {
    HTTPResponse(status, headers("application/json"), body: ByteBuffer(string: text))
  }

  private static func headers(_ type: String) -> HTTPHeaders {
    ["Content-Type": type, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"]
  }

  /// Allows the page's files only. WebSockets are named, since not every browser includes them in 'self'.
  private static func policy(host: String) -> String {
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
      + "connect-src 'self' ws://\(host) wss://\(host); base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  }
}
