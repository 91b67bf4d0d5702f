import Hummingbird
import NIOCore
import NotifyCore

/// The paths of the bridge itself: health, readiness and metrics.
enum Routes {
  /// Adds `/healthz` and `/readyz`.
  static func addHealth(to router: Router<BasicRequestContext>, status: BridgeStatus) {
    router.get("/healthz") { _, _ in json(.ok, #"{"status":"ok"}"#) }
    router.get("/readyz") { _, _ in
      let failing = status.failing(at: .now)
      if failing.isEmpty { return json(.ok, #"{"status":"ok"}"#) }
      let parts = failing.map { part in
        #"{"part":\#(JSONText.string(part.part)),"reason":\#(JSONText.string(part.reason))}"#
      }
      return json(.serviceUnavailable, #"{"status":"unavailable","failing":[\#(parts.joined(separator: ","))]}"#)
    }
  }

  /// Adds `/metrics`.
  ///
  /// - Parameter text: makes the exposition.
  static func addMetrics(to router: Router<BasicRequestContext>, text: @escaping @Sendable () -> String) {
    router.get("/metrics") { _, _ in
      Response(
        status: .ok, headers: [.contentType: "text/plain; version=0.0.4; charset=utf-8"],
        body: ResponseBody(byteBuffer: ByteBuffer(string: text())))
    }
  }

  private static func json(_ status: HTTPResponse.Status, _ text: String) -> Response {
    Response(
      status: status, headers: [.contentType: "application/json", .cacheControl: "no-store"],
      body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
  }
}
