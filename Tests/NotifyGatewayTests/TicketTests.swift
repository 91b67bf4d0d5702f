import NIOHTTP1
import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("POST /tickets gives a service tickets for its users", .timeLimit(.minutes(1)))
struct TicketTests {
  /// Issues `nbt_USER`, or is away.
  struct Issuer: CredentialLookup {
    var isAway = false

    func lookUp(_ question: CredentialQuestion) async -> CredentialAnswer {
      guard case .issue(let user) = question, !isAway else { return .unavailable("away") }
      return .found(
        CredentialRecord(
          user: user, secret: Secret("nbt_\(user)"), isActive: true, isExpired: false, expires: nil,
          seen: Snapshot(xmax: 1)))
    }
  }

  static let settings = GatewaySettings(serviceKey: Secret("service"))

  static func post(_ client: RawClient, key: String? = "Bearer service", _ body: String) async throws
    -> RawClient.Response
  {
    let headers = (key.map { ["Authorization: \($0)"] } ?? []) + ["Content-Length: \(body.utf8.count)"]
    try await client.send(
      (["POST /tickets HTTP/1.1", "Host: localhost"] + headers).joined(separator: "\r\n") + "\r\n\r\n" + body)
    return try await client.response()
  }

  @Test("A request with the service key gets a ticket for the user")
  func issues() async throws {
    try await RunningGateway.run(Self.settings, lookup: Issuer()) { running in
      let client = try await running.client()
      for (body, user) in [
        (#"{"user_id": 42}"#, "42"), (#"{"user_id":"a-b","more":1}"#, "a-b"),
        (#"{"more":[NaN,-Infinity,"\ud800"],"user_id":42,"more":{}}"#, "42"),
      ] {
        let response = try await Self.post(client, body)
        #expect(response.status == 200)
        #expect(response.body == #"{"ticket":"nbt_\#(user)","expires_in":30}"#)
        #expect(response.headers.first(name: "cache-control") == "no-store")
      }
    }
  }

  @Test("Other keys, other bodies and other methods are refused")
  func refuses() async throws {
    try await RunningGateway.run(Self.settings, lookup: Issuer()) { running in
      let client = try await running.client()
      for key in [nil, "", "Bearer", "Bearer Service", "Bearer servic", "Bearer service2", "Token service", "service"] {
        #expect(try await Self.post(client, key: key, #"{"user_id": 42}"#).status == 401, "\(key ?? "none")")
      }
      for body in [
        "", "{}", "42", "[]", #"{"user_id":null}"#, #"{"user_id":1.5}"#, #"{"user_id":""}"#, #"{"user_id":[1]}"#,
        #"{"user_id":"\u0000"}"#, #"{"user_id":true}"#, #"{"user_id":NaN}"#, #"{"user_id":"\ud800"}"#,
        #"{"user_id":1,"user_id":2}"#, #"{"user_id":42.0}"#, #"{"user_id":9223372036854775808}"#, #"{"user_id":42}}"#,
      ] {
        #expect(try await Self.post(client, body).status == 400, "\(body)")
      }
      let get = try await client.request("GET /tickets")
      #expect(get.status == 405 && get.headers.first(name: "allow") == "POST")
    }
  }

  @Test("The status is 503 while the database is away, and 404 without a configured key")
  func absent() async throws {
    try await RunningGateway.run(Self.settings, lookup: Issuer(isAway: true)) { running in
      let client = try await running.client()
      #expect(try await Self.post(client, #"{"user_id": 42}"#).status == 503)
    }
    try await RunningGateway.run(lookup: Issuer()) { running in
      let client = try await running.client()
      #expect(try await Self.post(client, #"{"user_id": 42}"#).status == 404)
      #expect(try await client.request("GET /tickets").status == 404)
    }
  }
}
