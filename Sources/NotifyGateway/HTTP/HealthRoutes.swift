import NIOCore
import NIOHTTP1
import NotifyCore

/// The routes by which the bridge itself is watched: health, readiness and metrics.
enum HealthRoutes {
  /// `/healthz` and `/readyz`.
  static func health(_ status: BridgeStatus) -> [Route] {
    [
      Route(.GET, "/healthz") { _ in .json(.ok, #"{"status":"ok"}"#) },
      Route(.GET, "/readyz") { _ in readiness(status) },
    ]
  }

  /// `/metrics`.
  ///
  /// - Parameter text: makes the exposition.
  static func metrics(text: @escaping @Sendable () -> String) -> Route {
    Route(.GET, "/metrics") { _ in
      HTTPResponse(
        .ok, ["Content-Type": "text/plain; version=0.0.4; charset=utf-8"], body: ByteBuffer(string: text()))
    }
  }

  private static func readiness(_ status: BridgeStatus) -> HTTPResponse {
    let failing = status.failing(at: .now)
    if failing.isEmpty { return .json(.ok, #"{"status":"ok"}"#) }
    let parts = failing.map { part in
      #"{"part":\#(JSONText.string(part.part)),"reason":\#(JSONText.string(part.reason))}"#
    }
    return .json(.serviceUnavailable, #"{"status":"unavailable","failing":[\#(parts.joined(separator: ","))]}"#)
  }
}
