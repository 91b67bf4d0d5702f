import Logging
import NotifyCore

/// The settings and ports that all connections share.
struct GatewayDependencies: Sendable {
  let settings: GatewaySettings
  let authenticator: any Authenticator
  let confirmations: any ConfirmationSink
  let replays: any ReplaySource
  let status: BridgeStatus
  let metrics: BridgeMetrics
  let logger: Logger
  let activity: ActivityNotes
  let tasks = TaskRunner()
  let admission: Admission

  var limits: Limits { settings.limits }

  init(
    settings: GatewaySettings, authenticator: any Authenticator, confirmations: any ConfirmationSink,
    replays: any ReplaySource, status: BridgeStatus, metrics: BridgeMetrics, logger: Logger,
    activity: ActivityNotes = ActivityNotes()
  ) {
    self.settings = settings
    self.authenticator = authenticator
    self.confirmations = confirmations
    self.replays = replays
    self.status = status
    self.metrics = metrics
    self.logger = logger
    self.activity = activity
    admission = Admission(limits: settings.limits)
  }
}
