import Foundation
import Hummingbird
import Logging
import NIOCore
import NotifyCore

/// `POST /tickets`: a backend that has the service key gets a one-time ticket for a user.
///
/// ```
/// POST /tickets
/// Authorization: Bearer <service key>
///
/// {"user_id": 42}
/// ```
/// The answer is `{"ticket":"nbt_…","expires_in":30}`; 401 for another key, 400 for another body, 503 while the database
/// is away. The ticket lets a client connect once, by `?token=`.
struct TicketRoute: Sendable {
  static let path = "/tickets"
  /// As `notify_bridge.issue_ticket` has it.
  private static let seconds = 30

  let key: Secret
  let lookup: any CredentialLookup
  let logger: Logger

  func add(to router: Router<BasicRequestContext>) {
    router.post(RouterPath(Self.path)) { request, _ in try await answer(request) }
  }

  private func answer(_ request: Request) async throws -> Response {
    guard let given = Self.bearer(request), key.matches(given) else {
      logger.warning("a ticket was refused: the service key is missing or another one")
      return Self.problem(.unauthorized, "the service key is missing or wrong", [.wwwAuthenticate: "Bearer"])
    }
    let body = try await request.body.collect(upTo: GatewayLimits.bodyBytes)
    guard let user = (try? JSONDecoder().decode(Body.self, from: Data(body.readableBytesView)))?.user else {
      return Self.problem(.badRequest, "the body is a JSON object with user_id, a whole number or a text")
    }
    guard case .found(let record) = await lookup.lookUp(.issue(user)), let ticket = record.secret else {
      return Self.problem(.serviceUnavailable, "the database can't be asked just now", [.retryAfter: "1"])
    }
    return Self.json(.ok, #"{"ticket":\#(JSONText.string(ticket.exposed)),"expires_in":\#(Self.seconds)}"#)
  }

  private static func bearer(_ request: Request) -> Secret? {
    guard let header = request.headers[.authorization] else { return nil }
    let parts = header.split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    return Secret(String(parts[1]))
  }

  private static func problem(_ status: HTTPResponse.Status, _ text: String, _ headers: HTTPFields = [:]) -> Response {
    json(status, #"{"error":\#(JSONText.string(text))}"#, headers)
  }

  private static func json(_ status: HTTPResponse.Status, _ text: String, _ headers: HTTPFields = [:]) -> Response {
    var headers = headers
    headers[.contentType] = "application/json"
    headers[.cacheControl] = "no-store"
    return Response(status: status, headers: headers, body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }

  /// What a backend sends.
  private struct Body: Decodable {
    /// Nil for a text that is no user's.
    let user: UserID?

    private enum CodingKeys: String, CodingKey { case user = "user_id" }

    init(from decoder: any Decoder) throws {
      let fields = try decoder.container(keyedBy: CodingKeys.self)
      if let number = try? fields.decode(Int64.self, forKey: .user) {
        user = UserID(number)
      } else {
        let text = try fields.decode(String.self, forKey: .user)
        user = text.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F } ? nil : UserID(text)
      }
    }
  }
}
