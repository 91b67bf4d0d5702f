/// The path of a route: `/inbox/v1/notifications/{id}`.
///
/// Empty segments don't count, so `/healthz/` is `/healthz`. A literal is compared with the bytes as they came: a proxy
/// that guards a path and the bridge agree on its spelling.
struct RoutePath: Sendable, Equatable {
  enum Segment: Sendable, Equatable {
    case literal(String)
    /// Any one segment, by its name.
    case parameter(String)
  }

  let segments: [Segment]

  init(_ text: String) {
    segments = Self.split(text[...]).map { segment in
      segment.hasPrefix("{") && segment.hasSuffix("}")
        ? .parameter(String(segment.dropFirst().dropLast())) : .literal(String(segment))
    }
  }

  /// The segments of a request's path, still encoded.
  static func split(_ path: Substring) -> [Substring] { path.split(separator: "/") }

  /// The parameters of a path that this one stands for; nil where it stands for another.
  ///
  /// A segment that is no UTF-8 when it is decoded is no parameter.
  func match(_ path: [Substring]) -> [String: String]? {
    guard path.count == segments.count else { return nil }
    var parameters: [String: String] = [:]
    for (segment, given) in zip(segments, path) {
      switch segment {
      case .literal(let text):
        guard given == text else { return nil }
      case .parameter(let name):
        guard let value = PercentEncoding.decode(given, plusIsSpace: false) else { return nil }
        parameters[name] = value
      }
    }
    return parameters
  }

  /// Whether two paths stand for the same requests, whatever the names of their parameters are.
  func hasShape(of other: RoutePath) -> Bool {
    segments.count == other.segments.count
      && zip(segments, other.segments).allSatisfy { mine, others in
        switch (mine, others) {
        case (.literal, .literal): mine == others
        case (.parameter, .parameter): true
        default: false
        }
      }
  }
}
