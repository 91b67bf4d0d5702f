import NIOHTTP1
import NotifyCore

/// The key in `Authorization: Bearer …`.
enum BearerKey {
  /// The key; nil where there is none, or more than one.
  static func read(_ headers: HTTPHeaders) -> Secret? {
    let values = headers["authorization"]
    guard values.count == 1 else { return nil }
    let parts = values[0].split(separator: " ", maxSplits: 1)
    guard parts.count == 2, parts[0].lowercased() == "bearer" else { return nil }
    return Secret(String(parts[1]))
  }
}
