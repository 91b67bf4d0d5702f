import Hummingbird
import Logging
import NIOCore
import NIOHTTP1
import NIOHTTPTypesHTTP1
import Synchronization

/// Answers plain HTTP requests with Hummingbird's router, of which it uses the routes and not the server: the sockets are
/// ours (`HTTPHandler`), so that any request of a kept-alive connection can become a WebSocket.
struct HTTPResponder: Sendable {
  /// A whole answer.
  struct Answer: Sendable {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders
    var body: ByteBuffer

    /// A short text.
    static func text(_ status: HTTPResponseStatus, _ text: String, _ headers: HTTPHeaders = [:]) -> Answer {
      var headers = headers
      headers.replaceOrAdd(name: "Content-Type", value: "text/plain; charset=utf-8")
      return Answer(status: status, headers: headers, body: ByteBuffer(string: text + "\n"))
    }
  }

  private let responder: RouterResponder<BasicRequestContext>
  private let logger: Logger
  private let counter = RequestCounter()
  /// Paths that answer GET and HEAD alone: other methods get 405, which Hummingbird's router doesn't know.
  private let readOnlyPaths: Set<String>
  /// Paths that answer POST alone.
  private let writeOnlyPaths: Set<String>

  init(
    router: Router<BasicRequestContext>, readOnlyPaths: Set<String>, writeOnlyPaths: Set<String> = [], logger: Logger
  ) {
    responder = router.buildResponder()
    self.readOnlyPaths = readOnlyPaths
    self.writeOnlyPaths = writeOnlyPaths
    self.logger = logger
  }

  /// Answers a request. Errors of a route are answered with 500 and not quoted.
  func answer(_ head: HTTPRequestHead, body: ByteBuffer, channel: any Channel) async -> Answer {
    do {
      var head = head
      let isRead = head.method == .GET || head.method == .HEAD
      let path = String(RequestTarget(head.uri).path)
      if head.method != .POST, writeOnlyPaths.contains(path) {
        return .text(.methodNotAllowed, "use POST", ["Allow": "POST"])
      }
      if !isRead, readOnlyPaths.contains(path) {
        return .text(.methodNotAllowed, "use GET", ["Allow": "GET, HEAD"])
      }
      // The handler leaves the body of a HEAD's answer out.
      if head.method == .HEAD { head.method = .GET }
      let request = Request(
        head: try HTTPRequest(head, secure: false, splitCookie: false), body: RequestBody(buffer: body))
      var logger = logger
      logger[metadataKey: "hb.request.id"] = "\(counter.next())"
      let context = BasicRequestContext(source: ApplicationRequestContextSource(channel: channel, logger: logger))
      let response = try await responder.respond(to: request, context: context)
      let collected = CollectingWriter.Buffer()
      try await response.body.write(CollectingWriter(buffer: collected))
      let converted = HTTPResponseHead(response.head)
      return Answer(status: converted.status, headers: converted.headers, body: collected.bytes.withLock { $0 })
    } catch {
      logger.debug("request failed", metadata: ["error": "\(type(of: error))"])
      return .text(.internalServerError, "internal error")
    }
  }

  private final class RequestCounter: Sendable {
    private let count = Atomic<UInt64>(0)
    func next() -> UInt64 { count.add(1, ordering: .relaxed).newValue }
  }
}

/// Collects a route's body: our routes' are small.
private struct CollectingWriter: ResponseBodyWriter {
  final class Buffer: Sendable {
    let bytes = Mutex(ByteBuffer())
  }

  let buffer: Buffer

  mutating func write(_ bytes: ByteBuffer) async throws {
    buffer.bytes.withLock { _ = $0.writeImmutableBuffer(bytes) }
  }

  consuming func finish(_ trailingHeaders: HTTPFields?) async throws {}
}
