import Foundation
import Hummingbird
import NIOCore
import NotifyCore
import NotifyDev
import NotifyGateway

/// The demo page and its requests.
struct DemoRoutes: Sendable {
  /// A user of the demo.
  struct User: Sendable, Equatable {
    let id: String
    let name: String
  }

  /// The users. They need no table: a user is an id in a token and in a row.
  static let users = [
    User(id: "1", name: "Customer"), User(id: "2", name: "Technician"), User(id: "3", name: "Dispatcher"),
  ]

  /// The longest body of a POST.
  private static let maximumBodyBytes = 64 << 10
  /// The most ids in one request.
  private static let maximumIDs = 200

  let settings: Settings
  let database: DemoDatabase
  let psqlLine: String

  /// Adds the paths.
  func add(to router: Router<BasicRequestContext>) {
    router.get("/") { request, _ in page(request, "text/html; charset=utf-8", DemoPage.html) }
    router.get("/demo/demo.css") { request, _ in page(request, "text/css; charset=utf-8", DemoPage.css) }
    router.get("/demo/demo.js") { request, _ in
      page(request, "text/javascript; charset=utf-8", DemoPage.javascript)
    }
    router.get("/demo/config") { request, _ in await answer(request) { configuration } }
    router.get("/demo/sent") { request, _ in await answer(request) { try await sent(request) } }
    router.post("/demo/token") { request, _ in await answer(request) { try await token(request) } }
    router.post("/demo/notifications") { request, _ in await answer(request) { try await insert(request) } }
  }

  // MARK: Answers

  private var configuration: String {
    let users = Self.users.map { #"{"id":\#(JSONText.string($0.id)),"name":\#(JSONText.string($0.name))}"# }
    return #"{"version":\#(JSONText.string(Version.number)),"path":\#(JSONText.string(path)),"#
      + #""psql":\#(JSONText.string(psqlLine)),"users":[\#(users.joined(separator: ","))]}"#
  }

  private var path: String { settings.gateway.path }

  private func token(_ request: Request) async throws -> String {
    let user = try Self.user(in: try await Self.object(request))
    let token = try Token.make(user, seconds: 3_600, settings)
    return #"{"token":\#(JSONText.string(token.exposed))}"#
  }

  private func insert(_ request: Request) async throws -> String {
    let object = try await Self.object(request)
    let user = try Self.user(in: object)
    guard let data = object["data"],
      let json = try? JSONSerialization.data(
        withJSONObject: data, options: [.fragmentsAllowed, .withoutEscapingSlashes])
    else { throw Failure("\"data\" is missing", status: .usage) }
    let id = try await database.insert(user: user, data: String(decoding: json, as: UTF8.self))
    return #"{"id":\#(id)}"#
  }

  private func sent(_ request: Request) async throws -> String {
    let parameter = request.uri.queryParameters["ids"].map(String.init) ?? ""
    let ids = parameter.split(separator: ",").compactMap { Int64($0) }.prefix(Self.maximumIDs)
    let sent = try await database.sent(Array(ids))
    return #"{"sent":[\#(sent.map(String.init).joined(separator: ","))]}"#
  }

  // MARK: Requests

  private static func object(_ request: Request) async throws -> [String: Any] {
    guard let body = try? await request.body.collect(upTo: maximumBodyBytes) else {
      throw Failure("a body has at most \(maximumBodyBytes) bytes", status: .usage)
    }
    guard let object = try? JSONSerialization.jsonObject(with: Data(body.readableBytesView)) as? [String: Any] else {
      throw Failure("the body is no JSON object", status: .usage)
    }
    return object
  }

  private static func user(in object: [String: Any]) throws -> String {
    guard let user = object["user"] as? String, users.contains(where: { $0.id == user }) else {
      throw Failure("\"user\" is not one of the demo's", status: .usage)
    }
    return user
  }

  // MARK: Responses

  private func page(_ request: Request, _ type: String, _ bytes: [UInt8]) -> Response {
    if let refusal = Self.refusal(request) { return Self.json(.forbidden, Self.problem(refusal)) }
    var headers = Self.headers(type)
    headers[.contentSecurityPolicy] = Self.policy(host: request.head.authority ?? "")
    return Response(status: .ok, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
  }

  private func answer(_ request: Request, _ work: () async throws -> String) async -> Response {
    if let refusal = Self.refusal(request) { return Self.json(.forbidden, Self.problem(refusal)) }
    do {
      return Self.json(.ok, try await work())
    } catch {
      let failure = Failure(error)
      let isTheirs = failure.status == .usage || failure.status == .configuration
      return Self.json(isTheirs ? .badRequest : .serviceUnavailable, Self.problem(failure.message))
    }
  }

  private static func refusal(_ request: Request) -> String? {
    DemoRequestRules.refusal(
      host: request.head.authority, origin: request.headers[.origin], isPost: request.method == .post,
      contentType: request.headers[.contentType])
  }

  private static func problem(_ text: String) -> String { #"{"error":\#(JSONText.string(text))}"# }

  private static func json(_ status: HTTPResponse.Status, _ text: String) -> Response {
    Response(
      status: status, headers: headers("application/json"),
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  private static func headers(_ type: String) -> HTTPFields {
    [.contentType: type, .cacheControl: "no-store", .xContentTypeOptions: "nosniff"]
  }

  /// Allows the page's files only. WebSockets are named, since not every browser includes them in 'self'.
  private static func policy(host: String) -> String {
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
      + "connect-src 'self' ws://\(host) wss://\(host); base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
  }
}
