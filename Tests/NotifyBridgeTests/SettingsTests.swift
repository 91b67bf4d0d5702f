import Foundation
import Testing

@testable import notify_bridge

/// Resolves settings out of texts.
func resolve(
  flags: [ConfigurationKey: String] = [:], environment: [String: String] = [:], yaml: String? = nil,
  secrets: Set<ConfigurationKey> = []
) throws -> Settings {
  let file = try yaml.map { try ConfigurationFile(path: "test.yaml", text: $0) }
  return try SettingsResolver(flags: flags, environment: environment, file: file, secrets: secrets).resolve()
}

/// The lines of what is wrong with settings; empty where nothing is.
func problems(
  flags: [ConfigurationKey: String] = [:], environment: [String: String] = [:], yaml: String? = nil,
  secrets: Set<ConfigurationKey> = []
) -> [String] {
  do {
    _ = try resolve(flags: flags, environment: environment, yaml: yaml, secrets: secrets)
    return []
  } catch {
    return (error as? ConfigurationError)?.problems ?? ["\(error)"]
  }
}

@Suite("Settings")
struct SettingsTests {
  @Test("come from flags over the environment over the file over the default")
  func precedence() throws {
    let yaml = "http:\n  port: 3"
    let environment = ["NOTIFY_BRIDGE_HTTP_PORT": "2"]
    #expect(try resolve().number(.httpPort) == 8_080)
    #expect(try resolve(yaml: yaml).number(.httpPort) == 3)
    #expect(try resolve(environment: environment, yaml: yaml).number(.httpPort) == 2)
    #expect(try resolve(flags: [.httpPort: "1"], environment: environment, yaml: yaml).number(.httpPort) == 1)
  }

  @Test("have names that derive from their place in the file")
  func names() {
    #expect(ConfigurationKey.databaseURL.variable == "DATABASE_URL")
    #expect(ConfigurationKey.databaseURLFile.variable == "DATABASE_URL_FILE")
    #expect(ConfigurationKey.databaseListenURL.variable == "NOTIFY_BRIDGE_DATABASE_LISTEN_URL")
    #expect(ConfigurationKey.authJWTJWKSRefreshSeconds.variable == "NOTIFY_BRIDGE_AUTH_JWT_JWKS_REFRESH_SECONDS")
    #expect(ConfigurationKey.drainSeconds.variable == "NOTIFY_BRIDGE_DRAIN_SECONDS")
    #expect(ConfigurationKey.httpPort.flag == "http-port")
    #expect(Set(ConfigurationKey.all.map(\.name)).count == ConfigurationKey.all.count)
  }

  @Test("that are empty count as not given")
  func emptyValues() throws {
    #expect(try resolve(environment: ["NOTIFY_BRIDGE_HTTP_PORT": ""], yaml: "http:\n").number(.httpPort) == 8_080)
    #expect(try resolve(yaml: "# nothing\n").number(.httpPort) == 8_080)
  }

  @Test("all have a default that they accept", arguments: ConfigurationKey.all)
  func defaults(key: ConfigurationKey) {
    if let text = key.defaultValue { #expect(key.type.canonical(text) == text) }
  }

  @Test("are each a flag of the commands, and each flag is a setting")
  func options() {
    let labels = Mirror(reflecting: ConfigurationOptions()).children.compactMap(\.label)
    let keys = labels.filter { $0 != "_configurationFile" }.map { ConfigurationKey.forProperty($0) }
    #expect(Set(keys) == Set(ConfigurationKey.all.map(Optional.some)))
  }

  @Test(
    "of a wrong form are refused with the name, the value and what is allowed",
    arguments: [
      (ConfigurationKey.httpPort, "80x", "0 to 65535"), (.httpPort, "65536", "0 to 65535"), (.httpPort, "-1", "0 to"),
      (.httpPort, "+1", "0 to"), (.httpPort, "1.5", "0 to"), (.heartbeatSeconds, "0", "1 to 3600"),
      (.authFirstMessage, "maybe", "true or false"), (.logLevel, "loud", "trace, debug, info"),
      (.logFormat, "xml", "text, json"), (.authJWTJWKSURL, "ftp://x", "https://"),
      (.authJWTJWKSURL, "https://", "http"),
    ])
  func badValues(key: ConfigurationKey, value: String, allowed: String) throws {
    let found = problems(environment: [key.variable: value])
    let line = try #require(found.first)
    #expect(found.count == 1)
    #expect(line.contains(key.variable) && line.contains("\"\(value)\"") && line.contains(allowed))
    #expect(line.contains("environment"))
    #expect(problems(flags: [key: value]).first?.hasPrefix("--\(key.flag) (on the command line)") == true)
  }

  @Test("that are wrong are all named at once, in few lines")
  func allAtOnce() {
    var environment: [String: String] = [:]
    for key in ConfigurationKey.all where key.name.hasPrefix("LIMITS") { environment[key.variable] = "many" }
    let found = problems(environment: environment)
    #expect(found.count == environment.count)
    let lines = ConfigurationError(found).description.split(separator: "\n")
    #expect(lines.count <= 8)
    #expect(lines.contains { $0.contains("and \(found.count - 4) more") })
  }

  @Test("that are unknown are refused with the nearest known name")
  func unknown() {
    #expect(problems(environment: ["NOTIFY_BRIDGE_HTTP_PROT": "1"]).first?.hasSuffix("NOTIFY_BRIDGE_HTTP_PORT") == true)
    #expect(problems(yaml: "http:\n  prot: 1").first?.hasSuffix("http.port") == true)
    #expect(problems(yaml: "nonsense: 1").first?.contains("the nearest known one is ") == true)
    #expect(problems(environment: ["PATH": "/bin", "PGHOST": "x"]).isEmpty)
  }

  @Test("are not confused with what Kubernetes sets for a service called notify-bridge")
  func serviceLinks() {
    let links = ["NOTIFY_BRIDGE_SERVICE_HOST": "10.0.0.1", "NOTIFY_BRIDGE_PORT_8080_TCP_ADDR": "10.0.0.1"]
    #expect(problems(environment: links).count == 2)
    #expect(problems(environment: links.merging(["KUBERNETES_SERVICE_HOST": "10.0.0.2"]) { first, _ in first }).isEmpty)
  }

  @Test(
    "may join their words in the file as people do, once",
    arguments: ["jwt_issuer: x", "jwt: {issuer: x}", "jwtIssuer: x"])
  func spellings(line: String) throws {
    #expect(try resolve(yaml: "auth: {\(line)}").text(.authJWTIssuer) == "x")
    #expect(problems(yaml: "auth: {jwt_issuer: x, jwtIssuer: y}").count == 1)
  }

  @Test("take lists as YAML lists and as text with commas")
  func lists() throws {
    #expect(try resolve(yaml: "auth: {origins: [a, b]}").list(.authOrigins) == ["a", "b"])
    #expect(try resolve(environment: ["NOTIFY_BRIDGE_AUTH_ORIGINS": "a, b,"]).list(.authOrigins) == ["a", "b"])
    #expect(try resolve().list(.authOrigins) == nil)
  }

  @Test("of a broken file are refused without quoting the file")
  func brokenFile() {
    let found = problems(yaml: "auth:\n  jwt_secret: [hunter2\nhttp: }")
    #expect(found.count == 1)
    #expect(found.first?.contains("hunter2") == false)
  }
}
