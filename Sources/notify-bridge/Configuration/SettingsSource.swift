import Foundation

/// Where settings come from, so that they can be read again.
struct SettingsSource: Sendable {
  /// Flags as given, by key.
  let flags: [ConfigurationKey: String]
  /// The file of `--config`.
  let filePath: String?
  var environment = ProcessInfo.processInfo.environment

  /// Reads and checks the settings.
  ///
  /// - Parameter secrets: the secrets that are needed: only their files are read.
  func settings(needing secrets: Set<ConfigurationKey>) throws(ConfigurationError) -> Settings {
    let file: ConfigurationFile?
    if let filePath { file = try ConfigurationFile(path: filePath) } else { file = nil }
    return try SettingsResolver(flags: flags, environment: environment, file: file, secrets: secrets).resolve()
  }
}
