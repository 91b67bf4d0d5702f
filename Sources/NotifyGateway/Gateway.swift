package import Hummingbird
package import Logging
import Metrics
import NIOCore
import NIOPosix
package import NotifyCore
import ServiceLifecycle

/// The side of the bridge that browsers see: HTTP and WebSocket on one port.
package final class Gateway: Service, Sendable {
  private let services: GatewayDependencies
  private let registry: PrometheusRegistry
  private let lookup: (any CredentialLookup)?
  private let routes: (@Sendable (Router<BasicRequestContext>) -> Void)?
  private let onListening: @Sendable (String) -> Void
  private let group: MultiThreadedEventLoopGroup
  private let hub: Hub

  private let tls = TLSHolder()

  /// Makes the gateway; nothing is opened before `run()`.
  ///
  /// - Parameters:
  ///   - confirmations: is told what was written and read; called from event loops.
  ///   - replays: is asked what a connection has missed.
  ///   - lookup: issues tickets; without it there are none.
  ///   - registry: what `/metrics` shows.
  ///   - routes: adds paths of the caller's own.
  ///   - onListening: called once with `http://HOST:PORT`, `https://HOST:PORT` or `unix:/path`.
  package init(
    settings: GatewaySettings, authenticator: any Authenticator, confirmations: any ConfirmationSink,
    replays: any ReplaySource, lookup: (any CredentialLookup)? = nil, status: BridgeStatus, metrics: BridgeMetrics,
    registry: PrometheusRegistry, logger: Logger, routes: (@Sendable (Router<BasicRequestContext>) -> Void)? = nil,
    onListening: @escaping @Sendable (String) -> Void
  ) {
    services = GatewayDependencies(
      settings: settings, authenticator: authenticator, confirmations: confirmations, replays: replays, status: status,
      metrics: metrics, logger: logger)
    self.registry = registry
    self.lookup = lookup
    self.routes = routes
    self.onListening = onListening
    // One loop per core, never shut down: the store may still hand over rows and answers while the process ends.
    group = .singleton
    hub = Hub(eventLoops: Array(group.makeIterator()), services: services)
    Gauge(
      label: "notify_bridge_build_info", dimensions: [("version", settings.version)], factory: registry
    ).record(1)
  }

  /// Where rows go to.
  package var sink: any DeliverySink { hub }

  /// Reads the TLS files again, for connections from now on.
  ///
  /// - Throws: a `GatewayError` where they can't be read; those in use stay in use.
  package func reload() throws {
    try tls.files?.reload()
  }

  /// Serves until a graceful shutdown, which closes all sockets.
  ///
  /// - Throws: a `GatewayError` where it can't start.
  package func run() async throws(any Error) {
    try await serve()
  }

  private func serve() async throws {
    let settings = services.settings
    let files = try TLSFiles(settings)
    tls.files = files
    let sockets = SocketCounter(limit: settings.limits.connections + GatewayLimits.spareSockets)
    let handshake = try Handshake(settings)
    let listener = SocketAcceptor(group: group, hub: hub, sockets: sockets, tls: files)
    let plain = SocketAcceptor(group: group, hub: hub, sockets: sockets, tls: nil)
    var ports = [
      try await listener.bind(
        host: settings.host, port: settings.port, site: site(handshake, isAdmin: false, isSecure: files != nil))
    ]
    if let adminPort = settings.adminPort {
      let host = settings.host.hasPrefix("unix:") ? "127.0.0.1" : settings.host
      ports.append(
        try await plain.bind(host: host, port: adminPort, site: site(handshake, isAdmin: true, isSecure: false)))
    }
    await withTaskGroup(of: Void.self) { tasks in
      tasks.addTask { [jobs = services.jobs] in await jobs.run() }
      // After the jobs: whoever is told so may ask something at once.
      onListening(url(of: ports[0], isSecure: files != nil))
      // A cancelled task ends like a graceful shutdown.
      try? await gracefulShutdown()
      await drain(ports, sockets)
      tasks.cancelAll()
    }
  }

  /// Takes nothing new, closes all sockets and waits for their ends.
  private func drain(_ ports: [any Channel], _ sockets: SocketCounter) async {
    services.status.draining()
    for port in ports { try? await port.close() }
    hub.onEveryLoop { $0.drain() }
    let time = TimeAmount.seconds(Int64(services.settings.drainSeconds))
    try? await sockets.whenNone(on: group.next(), within: time).get()
    hub.onEveryLoop { $0.abandon() }
  }

  private func site(_ handshake: Handshake, isAdmin: Bool, isSecure: Bool) -> HTTPSite {
    let router = Router(context: BasicRequestContext.self)
    Routes.addHealth(to: router, status: services.status)
    var readOnlyPaths: Set = ["/healthz", "/readyz"]
    if isAdmin || services.settings.adminPort == nil {
      readOnlyPaths.insert("/metrics")
      Routes.addMetrics(to: router) { [self] in metricsText() }
    }
    var writeOnlyPaths: Set<String> = []
    if !isAdmin {
      if let key = services.settings.serviceKey, let lookup {
        writeOnlyPaths.insert(TicketRoute.path)
        TicketRoute(key: key, lookup: lookup, logger: services.logger).add(to: router)
      }
      routes?(router)
    }
    return HTTPSite(
      handshake: handshake,
      responder: HTTPResponder(
        router: router, readOnlyPaths: readOnlyPaths, writeOnlyPaths: writeOnlyPaths, logger: services.logger),
      servesWebSocket: !isAdmin, isSecure: isSecure,
      handshakeTime: .seconds(Int64(services.limits.handshakeSeconds)))
  }

  private func metricsText() -> String {
    services.metrics.connections.record(services.admission.open)
    services.metrics.users.record(hub.userCount)
    services.metrics.queueBytes.record(hub.queuedBytes)
    return registry.text()
  }

  private func url(of port: any Channel, isSecure: Bool) -> String {
    let host = services.settings.host
    if host.hasPrefix("unix:") { return host }
    let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    return "\(isSecure ? "https" : "http")://\(bare.contains(":") ? "[\(bare)]" : bare):\(port.localAddress?.port ?? 0)"
  }
}
