import Foundation
import Logging
import NotifyAuth
import NotifyCore
import NotifyGateway
import NotifyStore
import ServiceLifecycle

/// The running bridge: its parts, how they are put together, started and stopped.
struct Bridge {
  /// Checked settings.
  let settings: Settings
  /// The database's URL.
  let url: Secret
  /// The log's output.
  let output: LogOutput
  let signals: Signals
  /// Reads all settings again, for SIGHUP.
  let readSettings: @Sendable () throws -> Settings
  /// Additional routes of a command.
  var routes: [Route] = []
  /// Called with the gateway's address when it listens.
  let onListening: @Sendable (String) -> Void
  /// Gets reports of listening, reloading and stopping.
  private let serviceManager = ServiceManager()
  /// Called before the process ends without a return of `run()`.
  var beforeExit: @Sendable () -> Void = {}

  /// Runs until a signal ends it.
  ///
  /// - Throws: the error that prevents starting or continuing.
  func run() async throws {
    let logger = Logger(label: Version.applicationName) { BridgeLogHandler(label: $0, output: output) }
    let gatewaySettings = try settings.gateway(descriptors: DescriptorLimit.raise())
    var storeSettings = settings.store
    storeSettings.url = url
    storeSettings.readURLsAgain = { [readSettings] in
      guard let read = try? readSettings(), let url = read.databaseURL else { return nil }
      return (url, read.store.listenURL)
    }
    let registry = PrometheusRegistry()
    let metrics = BridgeMetrics(factory: registry)
    let status = BridgeStatus()
    let store = Store(
      settings: storeSettings, limits: gatewaySettings.limits, status: status, metrics: metrics, logger: logger)
    let marker = try Marker(store)
    let replays = try ReplayReader(store)
    let lookups = try LookupReader(store, userTable: settings.djangoUserTable)
    let authenticator = try await ReloadingAuthenticator(settings, lookup: lookups, logger: logger)
    let maintenance = try Maintenance(store)
    let console = try gatewaySettings.servesConsole ? ConsoleReader(store) : nil
    let notes = ActivityNotes(storeSettings.activity)
    let latch = Latch()
    let gateway = Gateway(
      settings: gatewaySettings, authenticator: authenticator, confirmations: marker, replays: replays, lookup: lookups,
      consoleDatabase: console, status: status, metrics: metrics, registry: registry, logger: logger, activity: notes,
      routes: routes,
      onListening: { [onListening, serviceManager] in
        onListening($0)
        serviceManager.report(.ready)
        latch.open()
      })
    let fetcher = try DeltaFetcher(store, sink: gateway.sink)
    let onFailure = exitAfterFailure()
    let reloader = Reloader(
      running: settings, read: readSettings, output: output, authenticator: authenticator, gateway: gateway,
      logger: logger)
    // They stop one after the other in reverse order: first the fetching of rows, then the sockets, then the marks of
    // what these have written, and what is recorded of them.
    func service(_ service: some DatabaseService) -> ServiceGroupConfiguration.ServiceConfiguration {
      .init(service: AfterListening(service: service, latch: latch, onFailure: onFailure))
    }
    var services = [service(fetcher), service(maintenance)]
    if let console { services.insert(.init(service: console), at: 0) }
    if !notes.kinds.isEmpty { services.append(service(try ActivityRecorder(store, notes: notes))) }
    services += [
      service(marker), service(replays), service(lookups), .init(service: authenticator), .init(service: gateway),
      .init(service: HandoverService(status: status, fetcher: fetcher, marker: marker)),
      .init(
        service: SignalService(signals: signals, reload: reload(by: reloader)),
        successTerminationBehavior: .gracefullyShutdownGroup),
    ]
    let group = ServiceGroup(
      configuration: ServiceGroupConfiguration(
        services: services, logger: Logger(label: "lifecycle") { _ in SwiftLogNoOpLogHandler() }))
    logger.info(
      "starting",
      metadata: ["version": "\(Version.number)", "connections_limit": "\(gatewaySettings.limits.connections)"])
    exitAfterDrain()
    defer { output.flush() }
    try await group.run()
    logger.info("stopped")
  }

  private func reload(by reloader: Reloader) -> @Sendable () async -> Void {
    { [serviceManager] in
      serviceManager.report(.reloading)
      await reloader.reload()
      serviceManager.report(.ready)
    }
  }

  /// Ends the process 2 s after a fatal error, even if other parts still wait.
  private func exitAfterFailure() -> @Sendable (any Error) -> Void {
    { [output, beforeExit] error in
      let failure = CommandFailure(error)
      Thread.detachNewThread {
        Thread.sleep(forTimeInterval: 2)
        beforeExit()
        output.flush()
        _ = failure.report()
        failure.status.exit()
      }
    }
  }

  /// Ends the process at a second signal, and when a drain exceeds `drain_seconds`.
  private func exitAfterDrain() {
    let timeout = Double(settings.gateway.drainSeconds) + 1.5
    let exit: @Sendable (CommandFailure.Status) -> Void = { [output, beforeExit] status in
      beforeExit()
      output.flush()
      status.exit()
    }
    signals.whenStopped { [serviceManager] count in
      if count > 1 { exit(.failed) }
      serviceManager.report(.stopping(within: .seconds(timeout)))
      Thread.detachNewThread {
        Thread.sleep(forTimeInterval: timeout)
        exit(.done)
      }
    }
  }
}
