import NotifyAuth
import NotifyDev
import NotifyGateway
import NotifyStore

/// The errors of the product's parts, as failures of a command.
extension CommandFailure {
  /// Explains any error.
  init(_ error: any Error) {
    switch error {
    case let error as CommandFailure: self = error
    case let error as ConfigurationError: self.init(error.description, status: .configuration)
    case let error as AuthConfigurationError: self.init(error.description, status: .configuration)
    case let error as GatewayError:
      self.init(error.description, status: error.isConfiguration ? .configuration : .failed)
    case let error as StoreError:
      self.init(error.description, remedy: error.hint.isEmpty ? Self.remedy(for: error) : error.hint)
    case let error as DevError: self.init(TerminalText.escaped(error.message), remedy: error.remedy)
    case is CancellationError: self.init("interrupted")
    default: self.init(String(describing: error))
    }
  }

  private static func remedy(for error: StoreError) -> String {
    switch error.sqlstate {
    case "28P01", "28000": return "Check user and password in DATABASE_URL, and the server's pg_hba.conf."
    case "3D000": return "Create the database, or correct its name in DATABASE_URL."
    case "42501":
      return """
        As the owner of the database: SELECT notify_bridge.grant_to('the role in DATABASE_URL')
        Each right that is missing is named by: notify-bridge check
        """
    case "42P01", "3F000", "42883": return "Run: notify-bridge migrate"
    case "53300": return "Raise max_connections of the server, or close connections."
    default: break
    }
    return error.code == .notConnected || error.code == .timeout
      ? "Check host and port in DATABASE_URL, and that the server runs." : ""
  }
}
