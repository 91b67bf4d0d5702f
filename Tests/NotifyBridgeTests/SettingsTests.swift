import ArgumentParser
import Foundation
import Logging
import NotifyAuth
import NotifyCore
import NotifyGateway
import NotifyStore
import Testing

@testable import notify_bridge

/// Resolves settings out of texts.
func resolve(
  flags: [String: String] = [:], environment: [String: String] = [:], yaml: String? = nil,
  secrets: [PartialKeyPath<Settings>] = []
) throws -> Settings {
  let file = try yaml.map { try ConfigurationFile(path: "test.yaml", text: $0) }
  let ids = Set(secrets.map { Setting.of($0).id })
  return try SettingsResolver(flags: flags, environment: environment, file: file, secrets: ids).resolve()
}

/// The problems of settings, a line each; empty where there are none.
func problems(
  flags: [String: String] = [:], environment: [String: String] = [:], yaml: String? = nil,
  secrets: [PartialKeyPath<Settings>] = []
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
  @Test("Flags win over the environment, the environment over the file, the file over the default")
  func precedence() throws {
    let yaml = "http:\n  port: 3"
    let environment = ["NOTIFY_BRIDGE_HTTP_PORT": "2"]
    #expect(try resolve().gateway.port == 8_080)
    #expect(try resolve(yaml: yaml).gateway.port == 3)
    #expect(try resolve(environment: environment, yaml: yaml).gateway.port == 2)
    #expect(try resolve(flags: ["http.port": "1"], environment: environment, yaml: yaml).gateway.port == 1)
  }

  @Test("The names of a setting derive from its place in the file")
  func names() throws {
    #expect(Setting.of(\.databaseURL).variable == "DATABASE_URL")
    #expect(Setting.all.first { $0.id == "database.url_file" }?.variable == "DATABASE_URL_FILE")
    #expect(Setting.of(\.store.listenURL).variable == "NOTIFY_BRIDGE_DATABASE_LISTEN_URL")
    #expect(Setting.of(\.jwt.jwksRefreshSeconds).variable == "NOTIFY_BRIDGE_AUTH_JWT_JWKS_REFRESH_SECONDS")
    #expect(Setting.of(\.gateway.drainSeconds).variable == "NOTIFY_BRIDGE_DRAIN_SECONDS")
    #expect(Setting.of(\.gateway.port).flag == "http-port")
    #expect(Set(Setting.all.map(\.name)).count == Setting.all.count)
  }

  @Test("Every setting that a message about logins names is in the table")
  func loginNames() {
    let variables = Set(Setting.all.map(\.variable))
    for setting in AuthSetting.allCases { #expect(variables.contains(setting.rawValue)) }
  }

  @Test("No two entries of the table set the same value")
  func targets() {
    let targets = Setting.all.compactMap { setting in
      if case .value(let target, _, _) = setting.target { target as AnyKeyPath } else { nil }
    }
    #expect(Set(targets).count == targets.count)
    #expect(targets.count + 6 == Setting.all.count, "besides the files of six secrets")
  }

  @Test("An empty value counts as not given")
  func emptyValues() throws {
    #expect(try resolve(environment: ["NOTIFY_BRIDGE_HTTP_PORT": ""], yaml: "http:\n").gateway.port == 8_080)
    #expect(try resolve(yaml: "# nothing\n").gateway.port == 8_080)
    #expect(try resolve(yaml: "http: {port: ~, host: null, path: ''}").gateway.path == "/ws/notifications/")
  }

  @Test("Every setting accepts its default, which is also the default of the part that uses it")
  func defaults() throws {
    let standard = Settings()
    for setting in Setting.all {
      guard case .value(_, let set, let differs) = setting.target, let text = setting.defaultText else { continue }
      var settings = standard
      #expect(set(.text(text), &settings), "\(setting.id)")
      #expect(!differs(settings, standard), "\(setting.id)")
    }
  }

  @Test("Every setting without a default accepts its example", arguments: Setting.all.map(\.id))
  func examples(id: String) throws {
    let setting = try #require(Setting.all.first { $0.id == id })
    guard setting.defaultText == nil else { return }
    let yaml =
      setting.section.map { "\($0):\n  \(setting.key): \(setting.example)" } ?? "\(setting.key): \(setting.example)"
    #expect(!setting.example.isEmpty)
    #expect(problems(yaml: yaml).isEmpty)
  }

  @Test("Every setting is a flag, and every flag is a setting")
  func options() {
    let labels = Mirror(reflecting: ConfigurationOptions()).children.compactMap(\.label)
    #expect(Set(labels.filter { $0 != "config" }) == Set(Setting.all.map(\.flag)))
    #expect(labels.count == Setting.all.count + 1)
  }

  @Test("In a container, the flags of its bridge are found behind those of an init process")
  func containers() {
    func arguments(_ words: String...) -> [String]? {
      ContainerBridge.serveArguments(commandLine: words.flatMap { Array($0.utf8) + [0] })
    }
    #expect(arguments("notify-bridge", "serve") == [])
    #expect(arguments("/usr/local/bin/notify-bridge", "serve", "--http-port", "9000") == ["--http-port", "9000"])
    #expect(arguments("/sbin/docker-init", "--", "notify-bridge", "serve", "--config=a b") == ["--config=a b"])
    #expect(arguments("notify-bridge", "dev") == nil)
    #expect(arguments("/sbin/init", "serve") == nil)
    #expect(arguments("sh", "-c", "notify-bridge serve") == nil)
    #expect(ContainerBridge.serveArguments(commandLine: []) == nil)
  }

  @Test("The parser reads settings from flags")
  func flags() throws {
    let options = try ConfigurationOptions.parse(["--config", "a.yaml", "--http-port", "1", "--auth-jwt-secret=x"])
    #expect(options.configurationFile == "a.yaml")
    #expect(options.flags == ["http.port": "1", "auth.jwt_secret": "x"])
  }

  @Test(
    "A value of a wrong form is refused with its name, the value and the allowed ones",
    arguments: [
      ("http.port", "80x", "0 to 65535"), ("http.port", "65536", "0 to 65535"), ("http.port", "-1", "0 to"),
      ("http.port", "+1", "0 to"), ("http.port", "1.5", "0 to"), ("heartbeat_seconds", "0", "1 to 3600"),
      ("auth.first_message", "maybe", "true or false"), ("log.level", "loud", "trace, debug, info"),
      ("log.format", "xml", "text, json"), ("auth.jwt_jwks_url", "ftp://x", "https://"),
      ("auth.jwt_jwks_url", "https://", "http"),
    ])
  func badValues(id: String, value: String, allowed: String) throws {
    let setting = try #require(Setting.all.first { $0.id == id })
    let found = problems(environment: [setting.variable: value])
    let line = try #require(found.first)
    #expect(found.count == 1)
    #expect(line.contains(setting.variable) && line.contains("\"\(value)\"") && line.contains(allowed))
    #expect(line.contains("environment"))
    #expect(problems(flags: [id: value]).first?.hasPrefix("--\(setting.flag) (on the command line)") == true)
  }

  @Test("All wrong settings are named at once, in few lines")
  func allAtOnce() {
    var environment: [String: String] = [:]
    for setting in Setting.all where setting.name.hasPrefix("LIMITS") { environment[setting.variable] = "many" }
    let found = problems(environment: environment)
    #expect(found.count == environment.count)
    let lines = ConfigurationError(found).description.split(separator: "\n")
    #expect(lines.count <= 8)
    #expect(lines.contains { $0.contains("and \(found.count - 4) more") })
  }

  @Test("An unknown setting is refused with the nearest known name")
  func unknown() {
    #expect(problems(environment: ["NOTIFY_BRIDGE_HTTP_PROT": "1"]).first?.hasSuffix("NOTIFY_BRIDGE_HTTP_PORT") == true)
    #expect(problems(yaml: "http:\n  prot: 1").first?.hasSuffix("http.port") == true)
    #expect(problems(yaml: "http:\n  prot: 1").first?.contains("(in test.yaml, line 2)") == true)
    #expect(problems(yaml: "nonsense: 1").first?.contains("the nearest known one is ") == true)
    #expect(problems(yaml: "http: 8080").first?.contains("is a section") == true)
    #expect(problems(environment: ["PATH": "/bin", "PGHOST": "x"]).isEmpty)
  }

  @Test("Variables that Kubernetes sets for Services whose names begin with notify-bridge are no settings")
  func serviceLinks() throws {
    for service in ["NOTIFY_BRIDGE", "NOTIFY_BRIDGE_METRICS", "NOTIFY_BRIDGE_HTTP", "NOTIFY_BRIDGE_V2_ADMIN"] {
      let links = [
        "SERVICE_HOST": "10.0.0.1", "SERVICE_PORT": "80", "SERVICE_PORT_HTTP": "80", "PORT": "tcp://10.0.0.1:80",
        "PORT_80_TCP": "tcp://10.0.0.1:80", "PORT_80_TCP_PROTO": "tcp", "PORT_80_TCP_PORT": "80",
        "PORT_80_TCP_ADDR": "10.0.0.1", "PORT_53_UDP": "udp://10.0.0.1:53",
      ]
      let environment = Dictionary(uniqueKeysWithValues: links.map { ("\(service)_\($0)", $1) })
      #expect(problems(environment: environment).isEmpty)
      #expect(try resolve(environment: environment).gateway.port == 8_080)
    }
    #expect(problems(environment: ["NOTIFY_BRIDGE_PORT": "8080"]).count == 1)
    #expect(problems(environment: ["NOTIFY_BRIDGE_HTTP_PORT": "https://x"]).count == 1)
  }

  @Test("A line's end behind the value of a variable is not part of it, as in a file")
  func lineEnds() throws {
    for end in ["\n", "\r\n", "\n\n"] {
      let environment = [
        "DATABASE_URL": "postgresql://x\(end)", "NOTIFY_BRIDGE_HTTP_PORT": "81\(end)",
        "NOTIFY_BRIDGE_AUTH_JWT_SECRET": "se\ncret \(end)", "NOTIFY_BRIDGE_LOG_LEVEL": "debug\(end)",
        "NOTIFY_BRIDGE_DATABASE_LISTEN_URL": end,
      ]
      let settings = try resolve(environment: environment)
      #expect(settings.databaseURL?.exposed == "postgresql://x" && settings.gateway.port == 81)
      #expect(settings.jwt.secret?.exposed == "se\ncret " && settings.log.level == .debug)
      #expect(settings.store.listenURL == nil)
    }
  }

  @Test("A setting has one spelling in the file, which the error of another spelling names")
  func spellings() throws {
    #expect(try resolve(yaml: "auth: {jwt_issuer: x}").jwt.issuer == "x")
    for other in ["jwt: {issuer: x}", "jwtIssuer: x", "jwt-issuer: x", "JWT_ISSUER: x"] {
      #expect(problems(yaml: "auth: {\(other)}").first?.hasSuffix("auth.jwt_issuer") == true, "\(other)")
    }
    #expect(problems(yaml: "auth: {jwt_issuer: x, jwtIssuer: y}").count == 1)
    #expect(problems(yaml: "auth: {jwt_issuer: x, jwt_issuer: y}").count == 1)
  }

  @Test("A list can be a YAML list or text with commas")
  func lists() throws {
    #expect(try resolve(yaml: "auth: {origins: [a, b]}").gateway.origins == ["a", "b"])
    #expect(try resolve(environment: ["NOTIFY_BRIDGE_AUTH_ORIGINS": "a, b,"]).gateway.origins == ["a", "b"])
    #expect(try resolve().gateway.origins == nil)
    #expect(problems(yaml: "http: {port: [1, 2]}").first?.contains("is a list: allowed is a whole number") == true)
    #expect(problems(yaml: "auth: {origins: [[a]]}").count == 1)
  }

  @Test("The error of a broken file does not quote the file")
  func brokenFile() {
    for yaml in [
      "auth:\n  jwt_secret: [hunter2\nhttp: }", "auth: {jwt_secret: hunter2, jwt_secret: hunter2}", "hunter2",
      "auth:\n  jwt_secret: *hunter2", "--- hunter2\n--- hunter2",
    ] {
      let found = problems(yaml: yaml)
      #expect(found.count == 1, "\(yaml)")
      #expect(found.first?.contains("hunter2") == false, "\(yaml)")
    }
    #expect(problems(yaml: "http:\n  port: [1\n").first?.contains("line 3") == true)
  }
}
