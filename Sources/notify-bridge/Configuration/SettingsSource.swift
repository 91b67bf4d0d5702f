import Foundation

/// The places that settings come from, so that they can be read again.
struct SettingsSource: Sendable {
  /// Flags as given, by the ids of their settings.
  let flags: [String: String]
  /// The file of `--config`; nil for the one that `NOTIFY_BRIDGE_CONFIG` names, if any.
  let filePath: String?
  var environment = ProcessInfo.processInfo.environment

  /// Reads and checks the settings.
  ///
  /// - Parameter secrets: the secrets that are needed: only their files are read.
  func settings(needing secrets: [PartialKeyPath<Settings>]) throws(ConfigurationError) -> Settings {
    var file: ConfigurationFile?
    if let filePath {
      file = try ConfigurationFile(path: filePath, subject: "--config \(filePath)")
    } else if let path = environment[Setting.fileVariable], !path.isEmpty {
      file = try ConfigurationFile(path: path, subject: "\(Setting.fileVariable) (in the environment) is \"\(path)\"")
    }
    return try SettingsResolver(
      flags: flags, environment: environment, file: file, secrets: Set(secrets.map { Setting.of($0).id })
    ).resolve()
  }
}
