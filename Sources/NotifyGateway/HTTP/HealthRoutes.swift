import NIOCore
import NIOHTTP1
import NotifyCore

/// The routes by which the bridge itself is watched: health, readiness and metrics.
enum HealthRoutes {
  /// `/healthz` and `/readyz`.
  ///
  /// - Parameter isAdmin: whether the reasons are shown, which may name hosts, roles and columns.
  static func health(_ status: BridgeStatus, isAdmin: Bool) -> [Route] {
    [
      Route(.GET, "/healthz") { _ in .json(.ok, #"{"status":"ok"}"#) },
      Route(.GET, "/readyz") { _ in readiness(status, isAdmin: isAdmin) },
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

  private static func readiness(_ status: BridgeStatus, isAdmin: Bool) -> HTTPResponse {
    let failing = status.failing(at: .now).map { part in
      object([("part", part.part), ("table", part.table), ("reason", isAdmin ? part.reason : nil)])
    }
    let quarantined = status.quarantined.map { object([("table", $0.table), ("stage", $0.stage)]) }
    let tables = quarantined.isEmpty ? "" : #","quarantined":[\#(quarantined.joined(separator: ","))]"#
    if failing.isEmpty { return .json(.ok, #"{"status":"ok"\#(tables)}"#) }
    return .json(
      .serviceUnavailable, #"{"status":"unavailable","failing":[\#(failing.joined(separator: ","))]\#(tables)}"#)
  }

  private static func object(_ members: [(name: String, value: String?)]) -> String {
    let present = members.compactMap { member in member.value.map { #""\#(member.name)":\#(JSONText.string($0))"# } }
    return "{\(present.joined(separator: ","))}"
  }
}
