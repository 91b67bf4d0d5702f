import NotifyCore
import NotifyGateway

/// The gateway.
extension Settings {
  /// The gateway's settings, complete.
  ///
  /// - Parameter descriptors: how many files this process may have open.
  /// - Throws: a configuration error where only one of certificate and key is set.
  func gateway(descriptors: Int) throws(ConfigurationError) -> GatewaySettings {
    guard (gateway.certificateFile == nil) == (gateway.keyFile == nil) else {
      throw ConfigurationError(
        "TLS needs both \(Setting.of(\.gateway.certificateFile).variable) and \(Setting.of(\.gateway.keyFile).variable)"
      )
    }
    var gateway = gateway
    gateway.deflateFromBytes = deflates ? deflateFromBytes : nil
    gateway.limits.connections = connections ?? DescriptorLimit.connections(of: descriptors)
    gateway.limits.spareSockets = DescriptorLimit.spareSockets(
      of: descriptors, connections: gateway.limits.connections)
    return gateway
  }
}
