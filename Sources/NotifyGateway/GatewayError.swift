/// The reason why the gateway can't start, and the remedy, in one or two lines.
package struct GatewayError: Error, CustomStringConvertible {
  /// Safe to print: no secret, no stack trace.
  package let description: String
  /// Whether the configuration is at fault (exit status 78) rather than the machine (1).
  package let isConfiguration: Bool

  static func configuration(_ description: String) -> GatewayError {
    GatewayError(description: description, isConfiguration: true)
  }

  static func environment(_ description: String) -> GatewayError {
    GatewayError(description: description, isConfiguration: false)
  }
}
