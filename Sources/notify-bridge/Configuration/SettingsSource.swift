import Foundation

/// The places that settings come from, so that they can be read again.
struct SettingsSource: Sendable {
  /// Flags as given, by the ids of their settings.
  let flags: [String: String]
  /// The file of `--config`.
  let filePath: String?
  var environment = ProcessInfo.processInfo.environment

  /// Reads and checks the settings.
  ///
  /// - Parameter secrets: the secrets that are needed: only their files are read.
  func settings(needing secrets: [PartialKeyPath<Settings>]) throws(ConfigurationError) -> Settings {
    let file: ConfigurationFile?
    if let filePath { file = try ConfigurationFile(path: filePath) } else { file = nil }
    return try SettingsResolver(
      flags: flags, environment: environment, file: file, secrets: Set(secrets.map { Setting.of($0).id })
    ).resolve()
  }
}
