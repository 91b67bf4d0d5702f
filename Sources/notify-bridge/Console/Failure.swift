import ArgumentParser
import Foundation
import NotifyAuth
import NotifyGateway
import NotifyStore

/// Why a command failed: what is wrong, what to do, and the exit status.
struct Failure: Error, Equatable {
  /// What operators and scripts tell failures apart by.
  enum Status: Int32, Sendable {
    case done = 0
    case failed = 1
    case usage = 64
    case configuration = 78

    /// Ends the process.
    func leave() -> Never { exit(rawValue) }
  }

  /// The most lines that are printed.
  static let maximumLines = 8

  let status: Status
  /// What is wrong; no secret.
  let message: String
  /// What to do about it; may be empty.
  let remedy: String

  init(_ message: String, remedy: String = "", status: Status = .failed) {
    self.status = status
    self.message = message
    self.remedy = remedy
  }

  /// Explains any error.
  init(_ error: any Error) {
    switch error {
    case let error as Failure: self = error
    case let error as ConfigurationError: self.init(error.description, status: .configuration)
    case let error as AuthConfigurationError: self.init(error.description, status: .configuration)
    case let error as GatewayError:
      self.init(error.description, status: error.isConfiguration ? .configuration : .failed)
    case let error as StoreError:
      self.init(error.description, remedy: error.hint.isEmpty ? Self.remedy(for: error) : error.hint)
    case let error as ExitCode: self.init("", status: Status(rawValue: error.rawValue) ?? .failed)
    case is CancellationError: self.init("interrupted")
    default:
      switch NotifyBridge.exitCode(for: error) {
      case .success: self.init(NotifyBridge.fullMessage(for: error), status: .done)
      case .validationFailure:
        self.init(NotifyBridge.message(for: error), remedy: Self.help(for: error), status: .usage)
      default: self.init(String(describing: error))
      }
    }
  }

  /// At most 8 lines, `error:` in front.
  var text: String {
    let lines = ("error: " + message).split(separator: "\n") + remedy.split(separator: "\n")
    return lines.prefix(Self.maximumLines).joined(separator: "\n")
  }

  /// Prints it where it belongs.
  ///
  /// - Returns: the exit status.
  func report() -> Int32 {
    if status == .done {
      if !message.isEmpty { FileOutput.printLine(message) }
    } else if !message.isEmpty {
      FileOutput.printError(text)
    }
    return status.rawValue
  }

  /// The line that says where help is, out of the parser's longer text.
  private static func help(for error: any Error) -> String {
    let lines = NotifyBridge.fullMessage(for: error).split(separator: "\n")
    return lines.last { $0.contains("--help") }.map { $0.trimmingSpaces() } ?? "See 'notify-bridge --help'."
  }

  private static func remedy(for error: StoreError) -> String {
    switch error.sqlstate {
    case "28P01", "28000": return "Check user and password in DATABASE_URL, and the server's pg_hba.conf."
    case "3D000": return "Create the database, or correct its name in DATABASE_URL."
    case "42501": return "As the owner of the tables: SELECT notify_bridge.grant_to('the role in DATABASE_URL')"
    case "42P01", "3F000", "42883": return "Run: notify-bridge migrate"
    case "53300": return "Raise max_connections of the server, or close connections."
    default: break
    }
    return error.code == .notConnected || error.code == .timeout
      ? "Check host and port in DATABASE_URL, and that the server runs." : ""
  }
}
