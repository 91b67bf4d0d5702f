import NIOHTTP1

/// The routes of a port. 404, and 405 with its `Allow`, follow from the table.
struct RouteTable: Sendable {
  /// The route of a request, or the response that the table itself gives.
  enum Match {
    case route(Route, parameters: [String: String])
    case none(HTTPResponse)
  }

  private let routes: [Route]

  /// Makes a table. Where two paths stand for one request, the earlier route counts.
  init(_ routes: [Route]) {
    for (index, route) in routes.enumerated() {
      precondition(
        !routes[..<index].contains { $0.method == route.method && $0.path.hasShape(of: route.path) },
        "two routes for one method and path")
    }
    self.routes = routes
  }

  /// Finds the route of a request.
  func match(_ method: HTTPMethod, _ path: Substring) -> Match {
    let segments = RoutePath.split(path)
    var others: [HTTPMethod] = []
    for route in routes {
      guard let parameters = route.path.match(segments) else { continue }
      if route.methods.contains(method) { return .route(route, parameters: parameters) }
      others += route.methods.filter { !others.contains($0) }
    }
    if others.isEmpty { return .none(.text(.notFound, "not found")) }
    let advice = others.filter { $0 != .HEAD }.map(\.rawValue).joined(separator: " or ")
    let allow = others.map(\.rawValue).joined(separator: ", ")
    return .none(.text(.methodNotAllowed, "use \(advice)", ["Allow": allow]))
  }
}
