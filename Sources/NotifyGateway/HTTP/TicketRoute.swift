import Logging
import NIOCore
import NIOHTTP1
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
  /// As `notify_bridge.issue_ticket` has it.
  private static let seconds = 30

  let key: Secret
  let lookup: any CredentialLookup
  let logger: Logger

  /// The line of the table.
  var route: Route { Route(.POST, "/tickets") { await response(to: $0) } }

  private func response(to request: HTTPRequest) async -> HTTPResponse {
    guard let given = BearerKey.read(request.headers), key.matches(given) else {
      logger.warning("a ticket was refused: the service key is missing or wrong")
      return Self.problem(.unauthorized, "the service key is missing or wrong", ["WWW-Authenticate": "Bearer"])
    }
    let user = request.body.withUnsafeReadableBytes { body in
      JSONValue(body)?["user_id"].flatMap(UserID.init(_:))
    }
    guard let user else {
      return Self.problem(.badRequest, "the body is a JSON object with user_id, a whole number or a text")
    }
    guard case .found(let record) = await lookup.lookUp(.issue(user)), let ticket = record.secret else {
      return Self.problem(.serviceUnavailable, "the database is unavailable", ["Retry-After": "1"])
    }
    return .json(.ok, #"{"ticket":\#(JSONText.string(ticket.exposed)),"expires_in":\#(Self.seconds)}"#)
  }

  private static func problem(_ status: HTTPResponseStatus, _ text: String, _ headers: HTTPHeaders = [:])
    -> HTTPResponse
  {
    .json(status, #"{"error":\#(JSONText.string(text))}"#, headers)
  }
}
