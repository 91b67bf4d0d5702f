package import NIOCore
package import NIOHTTP1

/// A whole request, as a route's handler gets it.
package struct HTTPRequest: Sendable {
  /// GET for a HEAD request as well: the body of its response is left out when it is written.
  package let method: HTTPMethod
  /// The header fields.
  package let headers: HTTPHeaders
  /// At most `GatewayLimits.bodyBytes`.
  package let body: ByteBuffer
  /// The segments that stand for the `{name}` of the route's path, by name, percent-decoded.
  package let parameters: [String: String]
  /// The client's address.
  let remote: String
  private let target: RequestTarget

  init(
    _ head: HTTPRequestHead, _ target: RequestTarget, body: ByteBuffer, parameters: [String: String], remote: String
  ) {
    method = head.method == .HEAD ? .GET : head.method
    headers = head.headers
    self.body = body
    self.parameters = parameters
    self.remote = remote
    self.target = target
  }

  /// The first query parameter of a name, decoded; nil without one.
  package func query(_ name: String) -> String? { target.parameter(name) }
}
