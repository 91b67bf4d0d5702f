import Logging
import NotifyCore
import NotifyGateway

/// Handles SIGHUP: reads settings, keys and certificates again.
actor Reloader {
  private var running: Settings
  private let read: @Sendable () throws -> Settings
  private let output: LogOutput
  private let authenticator: ReloadingAuthenticator
  private let gateway: Gateway
  private let logger: Logger

  init(
    running: Settings, read: @escaping @Sendable () throws -> Settings, output: LogOutput,
    authenticator: ReloadingAuthenticator, gateway: Gateway, logger: Logger
  ) {
    self.running = running
    self.read = read
    self.output = output
    self.authenticator = authenticator
    self.gateway = gateway
    self.logger = logger
  }

  /// Reads everything again. An error is logged and leaves everything as it was.
  func reload() async {
    do {
      let settings = try read()
      let useLogins = try await authenticator.load(settings)
      let useCertificates = try gateway.loadCertificates()
      // Everything could be read: nothing fails any more.
      let fixed = running.changes(to: settings).filter { !$0.isReloadable }
      for setting in fixed {
        logger.warning("a changed setting needs a restart", metadata: ["setting": "\(setting.variable)"])
      }
      output.level = settings.log.level
      useLogins()
      useCertificates()
      running = settings
      logger.notice("reloaded: log level, logins and certificates")
    } catch {
      logger.error(
        "not reloaded: everything stays as it was", metadata: [LogKey.reason: "\(CommandFailure(error).message)"])
    }
  }
}
