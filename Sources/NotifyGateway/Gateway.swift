package import Logging
import Metrics
import NIOCore
import NIOPosix
package import NotifyCore
import ServiceLifecycle

/// The browsers' side of the bridge: HTTP and WebSocket on one port.
package final class Gateway: Service, Sendable {
  private let dependencies: GatewayDependencies
  private let registry: PrometheusRegistry
  private let lookup: (any CredentialLookup)?
  private let routes: [Route]
  private let onListening: @Sendable (String) -> Void
  private let group: MultiThreadedEventLoopGroup
  private let hub: Hub
  /// Nil where it is not reachable.
  private let console: Console?

  private let tls = TLSHolder()

  /// Makes the gateway; nothing is opened before `run()`.
  ///
  /// - Parameters:
  ///   - confirmations: gets written and read rows; called from event loops.
  ///   - replays: reads the rows that a connection has missed.
  ///   - lookup: issues tickets; nil serves no `/tickets`.
  ///   - consoleDatabase: answers the console; nil serves no `/console`.
  ///   - registry: the metrics of `/metrics`.
  ///   - activity: gets notes of the sockets, for presence and the logs.
  ///   - routes: further routes of the main port.
  ///   - onListening: called once with `http://HOST:PORT`, `https://HOST:PORT` or `unix:/path`.
  package init(
    settings: GatewaySettings, authenticator: any Authenticator, confirmations: any ConfirmationSink,
    replays: any ReplaySource, lookup: (any CredentialLookup)? = nil,
    consoleDatabase: (any ConsoleDatabase)? = nil, status: BridgeStatus, metrics: BridgeMetrics,
    registry: PrometheusRegistry, logger: Logger, activity: ActivityNotes = ActivityNotes(), routes: [Route] = [],
    onListening: @escaping @Sendable (String) -> Void
  ) {
    dependencies = GatewayDependencies(
      settings: settings, authenticator: authenticator, confirmations: confirmations, replays: replays, status: status,
      metrics: metrics, logger: logger, activity: activity)
    self.registry = registry
    self.lookup = lookup
    self.routes = routes
    self.onListening = onListening
    // One loop per core, never shut down: the store may still deliver rows and answers while the process ends.
    group = .singleton
    hub = Hub(eventLoops: Array(group.makeIterator()), dependencies: dependencies)
    if let consoleDatabase {
      console = Console(hub: hub, dependencies: dependencies, registry: registry, database: consoleDatabase)
    } else {
      console = nil
    }
    Gauge(
      label: "notify_bridge_build_info", dimensions: [("version", settings.version)], factory: registry
    ).record(1)
  }

  /// The receiver of rows.
  package var sink: any DeliverySink { hub }

  /// Reads TLS files. Those in use stay in use.
  ///
  /// - Returns: has later connections use them; nil where TLS is off, in these settings or since the start.
  /// - Throws: a `GatewayError` where they can't be read.
  package func loadCertificates(_ settings: GatewaySettings) throws -> (@Sendable () -> Void)? {
    guard let files = tls.files, let next = try TLSFiles(settings) else { return nil }
    return { files.use(next) }
  }

  /// The logins were reloaded: sockets whose credential is no longer good are closed.
  package func verifyAgain() { hub.onEveryLoop { $0.verifyAgain() } }

  /// Serves until a graceful shutdown, which closes all sockets.
  ///
  /// - Throws: a `GatewayError` where it can't start.
  package func run() async throws(any Error) {
    try await serve()
  }

  private func serve() async throws {
    let settings = dependencies.settings
    let files = try TLSFiles(settings)
    tls.files = files
    let sockets = SocketCounter(
      SocketCounter.Bounds(
        total: settings.limits.connections + settings.limits.spareSockets,
        perPeer: settings.limits.connectionsPerAddress))
    let handshake = try Handshake(settings)
    let acceptor = SocketAcceptor(group: group, hub: hub, sockets: sockets, tls: files, logger: dependencies.logger)
    let plain = SocketAcceptor(group: group, hub: hub, sockets: sockets, tls: nil, logger: dependencies.logger)
    var ports = [
      try await acceptor.bind(
        host: settings.host, port: settings.port, site: site(handshake, isAdmin: false, isSecure: files != nil))
    ]
    if let adminPort = settings.adminPort {
      let host = settings.host.hasPrefix("unix:") ? "127.0.0.1" : settings.host
      ports.append(
        try await plain.bind(host: host, port: adminPort, site: site(handshake, isAdmin: true, isSecure: false)))
    }
    let sampling = console.map { console in
      let interval = TimeAmount.seconds(Int64(ConsoleHistory.interval))
      return group.next().scheduleRepeatedTask(initialDelay: interval, delay: interval) { _ in console.sample() }
    }
    defer { sampling?.cancel() }
    await withTaskGroup(of: Void.self) { tasks in
      tasks.addTask { [runner = dependencies.tasks] in await runner.run() }
      // After the task runner, which the first request needs.
      onListening(url(of: ports[0], isSecure: files != nil))
      // A cancelled task ends like a graceful shutdown.
      try? await gracefulShutdown()
      await drain(ports, sockets)
      tasks.cancelAll()
    }
  }

  /// Closes the ports and all sockets, and waits for their ends.
  private func drain(_ ports: [any Channel], _ sockets: SocketCounter) async {
    dependencies.status.draining()
    for port in ports { try? await port.close() }
    hub.onEveryLoop { $0.drain() }
    let time = TimeAmount.seconds(Int64(dependencies.settings.drainSeconds))
    try? await sockets.whenNone(on: group.next(), within: time).get()
    hub.onEveryLoop { $0.abandon() }
  }

  private func site(_ handshake: Handshake, isAdmin: Bool, isSecure: Bool) -> HTTPSite {
    var routes = HealthRoutes.health(dependencies.status, isAdmin: isAdmin)
    if isAdmin || dependencies.settings.adminPort == nil {
      routes.append(HealthRoutes.metrics { [self] in metricsText() })
    }
    if !isAdmin {
      if let key = dependencies.settings.serviceKey, let lookup {
        routes.append(TicketRoute(key: key, lookup: lookup, logger: dependencies.logger).route)
      }
      routes += self.routes
    }
    if let console, isAdmin || dependencies.settings.serviceKey != nil {
      let rules = ConsoleRules(
        key: isAdmin ? nil : dependencies.settings.serviceKey,
        origins: dependencies.settings.origins.map { OriginRule($0) })
      routes += ConsoleRoutes(console: console, rules: rules).routes
    }
    return HTTPSite(
      handshake: handshake, routes: RouteTable(routes), servesWebSocket: !isAdmin, isSecure: isSecure,
      handshakeTime: .seconds(Int64(dependencies.limits.handshakeSeconds)))
  }

  private func metricsText() -> String {
    dependencies.metrics.connections.record(dependencies.admission.open)
    dependencies.metrics.users.record(hub.userCount)
    dependencies.metrics.queueBytes.record(hub.queuedBytes)
    dependencies.metrics.ready.record(dependencies.status.failing(at: .now).isEmpty ? 1 : 0)
    return registry.text() + ProcessMetrics.text()
  }

  private func url(of port: any Channel, isSecure: Bool) -> String {
    let host = dependencies.settings.host
    if host.hasPrefix("unix:") { return host }
    let bare = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
    return "\(isSecure ? "https" : "http")://\(bare.contains(":") ? "[\(bare)]" : bare):\(port.localAddress?.port ?? 0)"
  }
}
