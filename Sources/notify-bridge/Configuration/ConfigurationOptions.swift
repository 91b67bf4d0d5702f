import ArgumentParser

/// Every setting as a flag. The table knows their names and texts; a test sees that each of its entries is here.
struct ConfigurationOptions: ParsableArguments {
  @ArgumentParser.Option(
    name: .customLong("config"), help: ArgumentHelp("A YAML file with settings.", valueName: "file"))
  var configurationFile: String?

  @ArgumentParser.Option(.databaseURL) var databaseURL: String?
  @ArgumentParser.Option(.databaseURLFile) var databaseURLFile: String?
  @ArgumentParser.Option(.databaseListenURL) var databaseListenURL: String?
  @ArgumentParser.Option(.databaseListenURLFile) var databaseListenURLFile: String?
  @ArgumentParser.Option(.databasePooled) var databasePooled: String?
  @ArgumentParser.Option(.databaseTwoPhaseWriters) var databaseTwoPhaseWriters: String?
  @ArgumentParser.Option(.httpHost) var httpHost: String?
  @ArgumentParser.Option(.httpPort) var httpPort: String?
  @ArgumentParser.Option(.httpPath) var httpPath: String?
  @ArgumentParser.Option(.httpAdminPort) var httpAdminPort: String?
  @ArgumentParser.Option(.httpTrustedProxies) var httpTrustedProxies: String?
  @ArgumentParser.Option(.httpDeflate) var httpDeflate: String?
  @ArgumentParser.Option(.httpDeflateFromBytes) var httpDeflateFromBytes: String?
  @ArgumentParser.Option(.authJWTSecret) var authJWTSecret: String?
  @ArgumentParser.Option(.authJWTSecretFile) var authJWTSecretFile: String?
  @ArgumentParser.Option(.authJWTPublicKeyFile) var authJWTPublicKeyFile: String?
  @ArgumentParser.Option(.authJWTJWKSFile) var authJWTJWKSFile: String?
  @ArgumentParser.Option(.authJWTJWKSURL) var authJWTJWKSURL: String?
  @ArgumentParser.Option(.authJWTJWKSRefreshSeconds) var authJWTJWKSRefreshSeconds: String?
  @ArgumentParser.Option(.authJWTUserClaim) var authJWTUserClaim: String?
  @ArgumentParser.Option(.authJWTAudience) var authJWTAudience: String?
  @ArgumentParser.Option(.authJWTIssuer) var authJWTIssuer: String?
  @ArgumentParser.Option(.authJWTLeewaySeconds) var authJWTLeewaySeconds: String?
  @ArgumentParser.Option(.authDjangoSecretKey) var authDjangoSecretKey: String?
  @ArgumentParser.Option(.authDjangoSecretKeyFile) var authDjangoSecretKeyFile: String?
  @ArgumentParser.Option(.authDjangoSecretKeyFallbacks) var authDjangoSecretKeyFallbacks: String?
  @ArgumentParser.Option(.authDjangoSecretKeyFallbacksFile) var authDjangoSecretKeyFallbacksFile: String?
  @ArgumentParser.Option(.authDjangoSessionCookie) var authDjangoSessionCookie: String?
  @ArgumentParser.Option(.authDjangoSessionAgeSeconds) var authDjangoSessionAgeSeconds: String?
  @ArgumentParser.Option(.authDjangoUserTable) var authDjangoUserTable: String?
  @ArgumentParser.Option(.authDRFTokens) var authDRFTokens: String?
  @ArgumentParser.Option(.authServiceKey) var authServiceKey: String?
  @ArgumentParser.Option(.authServiceKeyFile) var authServiceKeyFile: String?
  @ArgumentParser.Option(.authFirstMessage) var authFirstMessage: String?
  @ArgumentParser.Option(.authOrigins) var authOrigins: String?
  @ArgumentParser.Option(.heartbeatSeconds) var heartbeatSeconds: String?
  @ArgumentParser.Option(.drainSeconds) var drainSeconds: String?
  @ArgumentParser.Option(.retentionDays) var retentionDays: String?
  @ArgumentParser.Option(.doorbellBusyRate) var doorbellBusyRate: String?
  @ArgumentParser.Option(.doorbellQuietAfterMilliseconds) var doorbellQuietAfterMs: String?
  @ArgumentParser.Option(.doorbellPollMilliseconds) var doorbellPollMs: String?
  @ArgumentParser.Option(.doorbellLongestPollMilliseconds) var doorbellLongestPollMs: String?
  @ArgumentParser.Option(.limitsConnections) var limitsConnections: String?
  @ArgumentParser.Option(.limitsConnectionsPerUser) var limitsConnectionsPerUser: String?
  @ArgumentParser.Option(.limitsConnectionsPerAddress) var limitsConnectionsPerAddress: String?
  @ArgumentParser.Option(.limitsConnectRate) var limitsConnectRate: String?
  @ArgumentParser.Option(.limitsQueueBytes) var limitsQueueBytes: String?
  @ArgumentParser.Option(.limitsMessageBytes) var limitsMessageBytes: String?
  @ArgumentParser.Option(.limitsMessageRate) var limitsMessageRate: String?
  @ArgumentParser.Option(.limitsReplayRows) var limitsReplayRows: String?
  @ArgumentParser.Option(.limitsHeldRows) var limitsHeldRows: String?
  @ArgumentParser.Option(.limitsHandshakeSeconds) var limitsHandshakeSeconds: String?
  @ArgumentParser.Option(.limitsRememberedUsers) var limitsRememberedUsers: String?
  @ArgumentParser.Option(.tlsCertificateFile) var tlsCertificateFile: String?
  @ArgumentParser.Option(.tlsKeyFile) var tlsKeyFile: String?
  @ArgumentParser.Option(.logLevel) var logLevel: String?
  @ArgumentParser.Option(.logFormat) var logFormat: String?

  /// The flags that were given.
  var flags: [ConfigurationKey: String] {
    var flags: [ConfigurationKey: String] = [:]
    for child in Mirror(reflecting: self).children {
      guard let option = child.value as? ArgumentParser.Option<String?>, let label = child.label,
        let key = ConfigurationKey.forProperty(label), let text = option.wrappedValue
      else { continue }
      flags[key] = text
    }
    return flags
  }

  /// Where settings come from in this run.
  var source: SettingsSource { SettingsSource(flags: flags, filePath: configurationFile) }

  /// Reads and checks the settings.
  ///
  /// - Parameter secrets: the secrets that the command needs: only their files are read.
  func settings(needing secrets: Set<ConfigurationKey>) throws(ConfigurationError) -> Settings {
    try source.settings(needing: secrets)
  }
}

extension ConfigurationKey {
  /// The setting of a property of `ConfigurationOptions`, as reflection labels it (`_httpPort`).
  static func forProperty(_ label: String) -> ConfigurationKey? { byProperty[label.drop { $0 == "_" }.lowercased()] }

  private static let byProperty = Dictionary(
    all.map { ($0.name.replacing("_", with: "").lowercased(), $0) }, uniquingKeysWith: { first, _ in first })
}

extension ArgumentParser.Option where Value == String? {
  /// The flag of a setting.
  init(_ key: ConfigurationKey) {
    self.init(
      name: .customLong(key.flag), help: ArgumentHelp("\(key.help)", valueName: key.valueName))
  }
}

extension ConfigurationKey {
  /// Its text in `--help`.
  var help: String {
    var help = summary + "."
    if case .integer(let range) = type { help += " \(range.lowerBound) to \(range.upperBound)." }
    if case .choice(let words) = type { help += " One of \(words.joined(separator: ", "))." }
    if let defaultValue { help += " (default: \(defaultValue))" }
    return help
  }

  /// What stands for its value in `--help`.
  var valueName: String {
    switch type {
    case .text: "text"
    case .secret: "secret"
    case .databaseURL: "url"
    case .path: "file"
    case .httpURL: "url"
    case .boolean: "true|false"
    case .list: "list"
    case .integer: unit?.split(separator: " ").first.map(String.init) ?? "number"
    case .choice: "word"
    }
  }
}
