package import NIOCore
package import NIOHTTP1

/// A whole response, apart from the header fields that every response gets: `Content-Length`, `Date` and `Connection`.
package struct HTTPResponse: Sendable, Equatable {
  package var status: HTTPResponseStatus
  package var headers: HTTPHeaders
  package var body: ByteBuffer

  package init(_ status: HTTPResponseStatus, _ headers: HTTPHeaders = [:], body: ByteBuffer = ByteBuffer()) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  /// A short text, with a line feed behind it.
  package static func text(_ status: HTTPResponseStatus, _ text: String, _ headers: HTTPHeaders = [:]) -> HTTPResponse {
    var headers = headers
    headers.replaceOrAdd(name: "Content-Type", value: "text/plain; charset=utf-8")
    return HTTPResponse(status, headers, body: ByteBuffer(string: text + "\n"))
  }

  /// A JSON text, which no cache keeps.
  package static func json(_ status: HTTPResponseStatus, _ text: String, _ headers: HTTPHeaders = [:]) -> HTTPResponse {
    var headers = headers
    headers.replaceOrAdd(name: "Content-Type", value: "application/json")
    headers.replaceOrAdd(name: "Cache-Control", value: "no-store")
    return HTTPResponse(status, headers, body: ByteBuffer(string: text))
  }
}
