import Foundation
import Logging
import NotifyCore
import NotifyGateway
import ServiceLifecycle

/// The gateway as an echo server on a free port, which it prints.
@main
struct WebSocketEcho {
  static func main() async throws {
    var settings = GatewaySettings(port: 0, path: "/", deflateFromBytes: 1, heartbeatSeconds: 86_400, drainSeconds: 1)
    settings.echoes = true
    // The suite asks for the smallest window too, and sends up to 16 MiB as fast as it can.
    settings.deflateWindowBits = 9
    settings.limits.messageBytes = 64 << 20
    settings.limits.messageRate = 1_000_000
    let status = BridgeStatus()
    let registry = PrometheusRegistry()
    let logger = Logger(label: "websocket-echo", factory: { _ in SwiftLogNoOpLogHandler() })
    let gateway = Gateway(
      settings: settings, authenticator: Nobody(), confirmations: NoRows(), replays: NoRows(), status: status,
      metrics: BridgeMetrics(factory: registry), registry: registry, logger: logger,
      onListening: { FileHandle.standardOutput.write(Data("ws\($0.dropFirst(4))\n".utf8)) })
    let services = ServiceGroup(services: [gateway], logger: logger)
    try await services.run()
  }

  /// An echo server has no users.
  private struct Nobody: Authenticator {
    func verify(_ credential: Credential) async -> Verdict { .rejected(.invalid, detail: "") }
  }

  /// Nor rows.
  private struct NoRows: ConfirmationSink, ReplaySource {
    func delivered(_ rows: [PendingMark]) {}
    func read(user: UserID, rows: [RowName]) {}
    func replay(_ request: ReplayRequest, _ answer: @escaping @Sendable (ReplayPage) -> Void) {}
  }
}
