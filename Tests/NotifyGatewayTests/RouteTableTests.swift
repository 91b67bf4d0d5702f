import NIOCore
import NIOHTTP1
import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("The table of routes leads each request to its handler", .timeLimit(.minutes(1)))
struct RouteTableTests {
  static let table = RouteTable(
    [
      (.GET, "/notifications"), (.POST, "/notifications"), (.GET, "/notifications/latest"),
      (.GET, "/notifications/{id}"), (.DELETE, "/notifications/{id}"), (.POST, "/read"), (.GET, "/"),
      (.GET, "/users/{user}/notifications/{id}"),
    ].map { method, path in Route(method, path) { request in .text(.ok, "\(method) \(path) \(request.parameters)") } })

  /// The response of a request.
  static func respond(
    _ method: HTTPMethod, _ uri: String, _ headers: HTTPHeaders = [:], body: String = "", in table: RouteTable = table
  ) async -> HTTPResponse {
    let head = HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: headers)
    let target = RequestTarget(uri)
    switch table.match(method, target.path) {
    case .none(let response): return response
    case .route(let route, let parameters):
      return await route.handler(
        HTTPRequest(
          head, target, body: ByteBuffer(string: body), parameters: parameters, remote: "127.0.0.1"))
    }
  }

  @Test(
    "A request's route is found by its method and path",
    arguments: [
      ("GET", "/", "GET / [:]"), ("GET", "/notifications", "GET /notifications [:]"),
      ("HEAD", "/notifications", "GET /notifications [:]"), ("POST", "/notifications", "POST /notifications [:]"),
      ("GET", "/notifications/", "GET /notifications [:]"), ("GET", "//notifications", "GET /notifications [:]"),
      ("GET", "/notifications?a=/read", "GET /notifications [:]"),
      ("GET", "http://localhost/notifications", "GET /notifications [:]"),
      ("GET", "/notifications/latest", "GET /notifications/latest [:]"),
      ("GET", "/notifications/7", #"GET /notifications/{id} ["id": "7"]"#),
      ("DELETE", "/notifications/latest", #"DELETE /notifications/{id} ["id": "latest"]"#),
      ("GET", "/notifications/a%2Fb+%C3%A9%zz", #"GET /notifications/{id} ["id": "a/b+é%zz"]"#),
    ])
  func finds(method: String, uri: String, text: String) async {
    let response = await Self.respond(HTTPMethod(rawValue: method), uri)
    #expect(response.status == .ok)
    #expect(String(buffer: response.body) == text + "\n")
  }

  @Test("A handler gets the query, the header fields and the body")
  func request() async {
    let table = RouteTable([
      Route(.POST, "/{a}/{b}") { request in
        let parts = [
          request.parameters["a"], request.parameters["b"], request.query("q"), request.query("none"),
          request.headers.first(name: "x"), String(buffer: request.body),
        ]
        return .json(.created, parts.map { $0 ?? "-" }.joined(separator: " "))
      }
    ])
    let response = await Self.respond(.POST, "/1/%32?q=a+b%20c&q=d", ["X": "y"], body: "z", in: table)
    #expect(response.status == .created)
    #expect(String(buffer: response.body) == "1 2 a b c - y z")
    #expect(response.headers.first(name: "content-type") == "application/json")
    #expect(response.headers.first(name: "cache-control") == "no-store")
  }

  @Test(
    "Another method gets 405 and the allowed methods",
    arguments: [
      ("PUT", "/notifications", "GET, HEAD, POST", "use GET or POST"), ("GET", "/read", "POST", "use POST"),
      ("HEAD", "/read", "POST", "use POST"), ("OPTIONS", "/", "GET, HEAD", "use GET"),
      ("POST", "/notifications/latest", "GET, HEAD, DELETE", "use GET or DELETE"),
      ("BREW", "/notifications/7", "GET, HEAD, DELETE", "use GET or DELETE"),
    ])
  func otherMethod(method: String, uri: String, allow: String, text: String) async {
    let response = await Self.respond(HTTPMethod(rawValue: method), uri)
    #expect(response.status == .methodNotAllowed)
    #expect(response.headers["allow"] == [allow])
    #expect(String(buffer: response.body) == text + "\n")
  }

  @Test(
    "Another path gets 404, whatever the method",
    arguments: [
      "", "*", "/nowhere", "/notifications/7/8", "/Notifications", "/%6Eotifications", "/notifications%2F7", "/read/7",
      "/{id}", "/notifications/%FF", "/users/7/notifications", "/..", "/read;a", "/\u{E9}",
    ])
  func otherPath(uri: String) async {
    for method in [HTTPMethod.GET, .POST, .OPTIONS] {
      // The empty path is the root.
      if uri.isEmpty, method == .GET { continue }
      let response = await Self.respond(method, uri)
      #expect(response.status == (uri.isEmpty ? .methodNotAllowed : .notFound), "\(method)")
    }
  }

  @Test("A running gateway responds to HEAD without a body, and with 405 and Allow to another method")
  func running() async throws {
    try await RunningGateway.run(GatewaySettings(serviceKey: Secret("service")), lookup: TicketTests.Issuer()) {
      running in
      let client = try await running.client()
      let head = try await client.request("HEAD /healthz")
      #expect(head.status == 200 && head.headers["content-length"] == ["15"])
      for (line, allow) in [
        ("POST /healthz", "GET, HEAD"), ("PUT /readyz", "GET, HEAD"), ("DELETE /metrics", "GET, HEAD"),
        ("GET /tickets", "POST"), ("POST /ws/notifications/", "GET"),
      ] {
        let response = try await client.request(line)
        #expect(response.status == 405 && response.headers["allow"] == [allow], "\(line)")
      }
      #expect(try await client.request("GET /healthz/").status == 200)
    }
  }
}
