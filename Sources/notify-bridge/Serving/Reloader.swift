import Logging
import NotifyCore
import NotifyGateway

/// Handles SIGHUP: reads settings, keys and certificates again.
actor Reloader {
  /// Those of the start: a setting that needs a restart is still in force as it was then.
  private let started: Settings
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
    started = running
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
      let (useLogins, haveLoginsChanged) = try await authenticator.load(settings)
      let useCertificates = try gateway.loadCertificates(settings.gateway)
      // Everything could be read: nothing fails any more.
      let hasTLS = useCertificates != nil
      let isLeft = { (setting: Setting) in !setting.isReloadable || setting.section == "tls" && !hasTLS }
      let left = started.changes(to: settings).filter(isLeft).map(\.variable)
      for variable in left { logger.warning("a changed setting needs a restart", metadata: ["setting": "\(variable)"]) }
      let applied = running.changes(to: settings).filter { !isLeft($0) }.map(\.variable)
      output.level = settings.log.level
      useLogins()
      useCertificates?()
      if haveLoginsChanged { gateway.verifyAgain() }
      running = settings
      logger.notice(
        "reloaded: log level, logins and certificates",
        metadata: [
          "applied": "\(applied.joined(separator: " "))", "needs_restart": "\(left.joined(separator: " "))",
          "verifies_sockets": "\(haveLoginsChanged)",
        ])
    } catch {
      logger.error(
        "not reloaded: everything stays as it was", metadata: [LogKey.reason: "\(CommandFailure(error).message)"])
    }
  }
}
