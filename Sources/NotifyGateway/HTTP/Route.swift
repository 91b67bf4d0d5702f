package import NIOHTTP1

/// One line of the table of routes: a method, a path and the handler that answers it.
///
/// ```
/// Route(.GET, "/notifications/{id}") { request in .json(.ok, "…\(request.parameters["id"] ?? "")…") }
/// ```
package struct Route: Sendable {
  /// Answers a request. Runs as a task of `TaskRunner`, on no event loop.
  package typealias Handler = @Sendable (HTTPRequest) async -> HTTPResponse

  let method: HTTPMethod
  let path: RoutePath
  let handler: Handler

  /// Makes a route.
  ///
  /// - Parameters:
  ///   - method: a route for GET answers HEAD as well.
  ///   - path: literal segments and `{name}`, which stands for any one segment.
  package init(_ method: HTTPMethod, _ path: String, handler: @escaping Handler) {
    self.method = method
    self.path = RoutePath(path)
    self.handler = handler
  }

  /// The methods that the route answers.
  var methods: [HTTPMethod] { method == .GET ? [.GET, .HEAD] : [method] }
}
