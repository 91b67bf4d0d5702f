import Foundation
import Hummingbird
import Logging
import Metrics
import NotifyAuth
import NotifyCore
import NotifyGateway
import NotifyStore
import ServiceLifecycle

/// The running bridge: its parts, how they are put together, started and stopped.
struct Bridge {
  /// Checked settings.
  let settings: Settings
  /// The database.
  let url: Secret
  /// Where the log goes.
  let output: LogOutput
  let signals: Signals
  /// Reads all settings again, for SIGHUP.
  let readSettings: @Sendable () throws -> Settings
  /// Paths of its own that a command adds.
  let routes: (@Sendable (Router<BasicRequestContext>) -> Void)?
  /// Told where the gateway listens.
  let onListening: @Sendable (String) -> Void
  /// Called before the process ends without a return of `run()`.
  var beforeExit: @Sendable () -> Void = {}

  /// Runs until a signal ends it.
  ///
  /// - Throws: what it can't start or go on with.
  func run() async throws {
    let logger = Logger(label: Version.applicationName) { BridgeLogHandler(label: $0, output: output) }
    let gatewaySettings = try settings.gateway(descriptors: DescriptorLimit.raise())
    var storeSettings = settings.store
    storeSettings.url = url
    let registry = PrometheusRegistry()
    let metrics = BridgeMetrics(factory: registry)
    let status = BridgeStatus()
    let context = StoreContext(
      settings: storeSettings, limits: gatewaySettings.limits, status: status, metrics: metrics, logger: logger)
    let marker = try Marker(context)
    let replays = try ReplayReader(context)
    let lookups = try LookupReader(context, userTable: settings.djangoUserTable)
    let authenticator = try await ReloadingAuthenticator(settings, lookup: lookups, logger: logger)
    let housekeeper = try Maintenance(context)
    let latch = Latch()
    let gateway = Gateway(
      settings: gatewaySettings, authenticator: authenticator, confirmations: marker, replays: replays, lookup: lookups,
      status: status, metrics: metrics, registry: registry, logger: logger, routes: routes,
      onListening: { [onListening] in
        onListening($0)
        latch.open()
      })
    let listener = try DeltaFetcher(context, sink: gateway.sink)
    let onFailure = limitFailing()
    let reloader = Reloader(
      running: settings, read: readSettings, output: output, authenticator: authenticator, gateway: gateway,
      logger: logger)
    // They stop in the opposite order, one after the other: sockets first, then the marks of what they wrote.
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: [
          .init(service: AfterListening(service: listener, latch: latch, onFailure: onFailure)),
          .init(service: AfterListening(service: housekeeper, latch: latch, onFailure: onFailure)),
          .init(service: AfterListening(service: marker, latch: latch, onFailure: onFailure)),
          .init(service: AfterListening(service: replays, latch: latch, onFailure: onFailure)),
          .init(service: AfterListening(service: lookups, latch: latch, onFailure: onFailure)),
          .init(service: authenticator), .init(service: gateway),
          .init(
            service: SignalService(signals: signals, reload: { await reloader.reload() }),
            successTerminationBehavior: .gracefullyShutdownGroup),
        ],
        logger: Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() }))
    logger.info(
      "starting",
      metadata: ["version": "\(Version.number)", "connections_limit": "\(gatewaySettings.limits.connections)"])
    limitStopping()
    defer { output.flush() }
    try await group.run()
    logger.info("stopped")
  }

  /// What can't go on ends soon, whatever the other parts wait for.
  private func limitFailing() -> @Sendable (any Error) -> Void {
    { [output, beforeExit] error in
      let failure = Failure(error)
      Thread.detachNewThread {
        Thread.sleep(forTimeInterval: 2)
        beforeExit()
        output.flush()
        _ = failure.report()
        failure.status.exit()
      }
    }
  }

  /// A second signal quits at once, and no drain lasts longer than the operator said.
  private func limitStopping() {
    let patience = Double(settings.gateway.drainSeconds) + 1.5
    let leave: @Sendable (Failure.Status) -> Void = { [output, beforeExit] status in
      beforeExit()
      output.flush()
      status.exit()
    }
    signals.whenStopped { count in
      if count > 1 { leave(.failed) }
      Thread.detachNewThread {
        Thread.sleep(forTimeInterval: patience)
        leave(.done)
      }
    }
  }
}
