import NotifyCore

/// What the console knows of this process, and its way to the database.
struct Console: Sendable {
  let hub: Hub
  let dependencies: GatewayDependencies
  let registry: PrometheusRegistry
  let database: any ConsoleDatabase
  let history: ConsoleHistory

  /// - Parameter database: answers the questions about rows.
  init(hub: Hub, dependencies: GatewayDependencies, registry: PrometheusRegistry, database: any ConsoleDatabase) {
    self.hub = hub
    self.dependencies = dependencies
    self.registry = registry
    self.database = database
    history = ConsoleHistory(Self.reading(registry, dependencies))
  }

  /// Adds a sample to the history.
  func sample() { history.record(Self.reading(registry, dependencies)) }

  private static func reading(
    _ registry: PrometheusRegistry, _ dependencies: GatewayDependencies
  ) -> ConsoleHistory.CounterReading {
    ConsoleHistory.CounterReading(
      wall: WallClock.microseconds(),
      rows: registry.value(of: "notify_bridge_rows_delivered_total")
        + registry.value(of: "notify_bridge_rows_replayed_total"),
      connections: dependencies.admission.open,
      latencies: registry.counts(of: "notify_bridge_created_to_socket_seconds") ?? [])
  }

  // MARK: Answers

  /// The present state of this process, and the figures of the database.
  func state() async -> String {
    let failing = dependencies.status.failing(at: .now).map { part in
      let table = part.table.map(JSONText.string) ?? "null"
      return #"{"part":\#(JSONText.string(part.part)),"table":\#(table),"reason":\#(JSONText.string(part.reason))}"#
    }
    let members: [(name: String, json: String)] = [
      ("version", JSONText.string(dependencies.settings.version)),
      ("actions", dependencies.settings.consoleActions ? "true" : "false"),
      ("failing", Self.array(failing)),
      ("connections", "\(dependencies.admission.open)"),
      ("users", "\(hub.userCount)"),
      ("queue_bytes", "\(hub.queuedBytes)"),
      ("marks_pending", PrometheusText.number(registry.value(of: "notify_bridge_marks_pending"))),
      ("doorbell", doorbell),
      ("tables", Self.array(dependencies.status.catalog.tables.map { JSONText.string($0.name) })),
      ("slow", Self.array(await hub.slowDevices().prefix(ConsoleDevice.maximum).map(\.json))),
      ("database", Self.member(await database.ask(.overview))),
    ]
    return Self.object(members)
  }

  /// A user: the sockets at this bridge, and the newest rows.
  func user(_ user: UserID) async -> String {
    let user = user.canonical(among: dependencies.status.catalog)
    return Self.object([
      ("user", JSONText.string(user.text)),
      ("devices", Self.array(await hub.devices(of: user).prefix(ConsoleDevice.maximum).map(\.json))),
      ("rows", Self.member(await database.ask(.rows(user: user)))),
    ])
  }

  private var doorbell: String {
    let states = ["quiet", "busy", "arming"]
    let state = states.first { state in
      registry.value(of: "notify_bridge_doorbell_state", labels: #"state="\#(state)""#) == 1
    }
    return Self.object([
      ("state", state.map(JSONText.string) ?? "null"),
      ("heard", PrometheusText.number(registry.value(of: "notify_bridge_doorbells_total"))),
      ("changes", PrometheusText.number(registry.value(of: "notify_bridge_doorbell_changes_total"))),
      ("safety_finds", PrometheusText.number(registry.value(of: "notify_bridge_safety_finds_total"))),
    ])
  }

  private static func member(_ answer: ConsoleAnswer) -> String {
    switch answer {
    case .json(let text): #"{"problem":null,"value":\#(text)}"#
    case .refused(let why), .unavailable(let why): #"{"problem":\#(JSONText.string(why)),"value":null}"#
    }
  }

  private static func object(_ members: [(name: String, json: String)]) -> String {
    "{\(members.map { #""\#($0.name)":\#($0.json)"# }.joined(separator: ","))}"
  }

  private static func array(_ elements: [String]) -> String { "[\(elements.joined(separator: ","))]" }
}
