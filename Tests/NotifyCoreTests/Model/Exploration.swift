import NotifyCore

/// All interleavings of a small configuration, to a depth: breadth first, each state once.
struct Exploration {
  /// What may happen at most.
  struct Configuration {
    /// The user of each row of each transaction. Each has a session of its own; they begin in this order.
    var transactions: [[Int64]]
    var clients: [ModelClient]
    /// How often each client connects.
    var connects: [Int]
    var accidents: [Accident: Int] = [:]
    /// Rows of a page of a replay.
    var pageRows = 4
    /// Rows that are held back.
    var catchUpRows = 6
    /// Bytes of live rows that wait for a client: 1 means no row behind another.
    var queueBytes = 1_500
    /// The steps before the first that is chosen.
    var prelude: [Step] = []
    /// Steps one after the other, until everything settles.
    var depth: Int
  }

  enum Step: Hashable {
    case begin(Int), commit(Int), rollback(Int)
    case fetch, route, mark, scan, kill, crash
    case connect(Int), replay(Int), receive(Int), flush(Int), cut(Int)

    var isAccident: Bool {
      switch self {
      case .rollback, .kill, .crash, .cut: true
      default: false
      }
    }
  }

  /// A state, and the way to it.
  private struct Place {
    var model: Model
    var begun = 0
    var connects: [Int]
    /// Of an empty table, in the beginning.
    var isScanned = true
    var way: [Step] = []
  }

  /// The first fault that was found, and the steps to it.
  struct Finding: CustomStringConvertible {
    let faults: [String]
    let way: [Step]
    var description: String { "\(faults) after \(way)" }
  }

  let configuration: Configuration
  private(set) var states = 0
  /// Whether every state was reached.
  private(set) var isComplete = false
  /// The length of the longest way to a state.
  private(set) var depth = 0
  private(set) var finding: Finding?
  private var seen: Set<ModelState> = []

  /// Explores until the depth, or until a fault is found.
  init(_ configuration: Configuration, without rule: Rule? = nil) {
    self.configuration = configuration
    var limits = Limits()
    limits.catchUpRows = configuration.catchUpRows
    limits.queueBytes = configuration.queueBytes
    limits.replayRows = 1_000_000
    var start = Place(
      model: Model(
        clients: configuration.clients, limits: limits, pageRows: configuration.pageRows,
        chance: Chance(accidents: configuration.accidents), without: rule),
      connects: configuration.connects)
    start.model.scan()
    for step in configuration.prelude { perform(step, &start) }
    var frontier = [start]
    while !frontier.isEmpty, finding == nil, depth < configuration.depth {
      depth += 1
      var next: [Place] = []
      for place in frontier {
        for step in steps(place) { take(step, from: place, into: &next) }
        if finding != nil { break }
      }
      frontier = next
    }
    isComplete = frontier.isEmpty && finding == nil
    // The last round found that there was no further step.
    if isComplete { depth -= 1 }
  }

  /// The steps that change anything.
  private func steps(_ place: Place) -> [Step] {
    let model = place.model
    var steps: [Step] = []
    if place.begun < configuration.transactions.count { steps.append(.begin(place.begun)) }
    for writer in model.database.open.keys.sorted() {
      steps.append(.commit(writer))
      if model.chance.left[.rollback, default: 0] > 0 { steps.append(.rollback(writer)) }
    }
    if model.reader.previous != model.database.snapshot { steps.append(.fetch) }
    if !model.routed.isEmpty { steps.append(.route) }
    if !model.written.isEmpty { steps.append(.mark) }
    if !place.isScanned { steps.append(.scan) }
    if model.chance.left[.kill, default: 0] > 0 { steps.append(.kill) }
    if model.chance.left[.crash, default: 0] > 0 { steps.append(.crash) }
    for (number, client) in model.clients.enumerated() {
      guard let connection = client.connection else {
        if place.connects[number] > 0 { steps.append(.connect(number)) }
        continue
      }
      if connection.asked != nil, connection.page == nil { steps.append(.replay(number)) }
      if connection.page != nil, !connection.awaitsWrite { steps.append(.receive(number)) }
      if connection.awaitsWrite || connection.queued > 0 { steps.append(.flush(number)) }
      if model.chance.left[.cut, default: 0] > 0 { steps.append(.cut(number)) }
    }
    return steps
  }

  /// Takes a step with all its choices.
  private mutating func take(_ step: Step, from start: Place, into next: inout [Place]) {
    var script: [Int]? = []
    while let choices = script, finding == nil {
      var place = start
      place.model.chance.follow(choices)
      perform(step, &place)
      place.way.append(step)
      script = place.model.chance.nextScript
      checkEndedConnections(start, place)
      for number in place.model.clients.indices { place.model.clients[number].connection?.forgetInputs() }
      let more = place.connects + [place.begun, place.isScanned ? 1 : 0]
      guard seen.insert(ModelState(place.model, more)).inserted else { continue }
      states += 1
      if depth == configuration.depth || steps(place).allSatisfy(\.isAccident) { checkSettled(place) }
      next.append(place)
    }
  }

  /// States do not tell apart which connection received a row: so each is checked when it ends.
  private mutating func checkEndedConnections(_ start: Place, _ end: Place) {
    for (before, after) in zip(start.model.clients, end.model.clients) {
      for received in after.history.dropFirst(before.history.count) {
        report(Accounting.faults(of: received, to: after.user, in: end.model.database), end)
      }
    }
  }

  /// Where a state has further steps without an accident, those lead to a state that is checked.
  private mutating func checkSettled(_ place: Place) {
    var model = place.model
    model.chance.follow([])
    model.settle()
    report(Accounting.faults(model) + (model.isQuiet ? [] : ["something is under way forever"]), place)
  }

  private mutating func report(_ faults: [String], _ place: Place) {
    if finding == nil, !faults.isEmpty { finding = Finding(faults: faults, way: place.way) }
  }

  private func perform(_ step: Step, _ place: inout Place) {
    switch step {
    case .begin(let writer):
      place.begun += 1
      place.model.database.begin(writer)
      for user in configuration.transactions[writer] { place.model.database.insert(writer, user: UserID(user)) }
    case .commit(let writer): place.model.database.commit(writer)
    case .rollback(let writer):
      place.model.chance.take(.rollback)
      place.model.database.rollback(writer)
    case .fetch: place.model.fetch()
    case .route: place.model.route()
    case .mark: place.model.mark()
    case .scan:
      place.isScanned = true
      place.model.scan()
    case .kill:
      place.model.chance.take(.kill)
      place.isScanned = false
      place.model.kill()
    case .crash:
      place.model.chance.take(.crash)
      place.model.crash()
    case .connect(let number):
      place.connects[number] -= 1
      place.model.connect(number)
    case .replay(let number): place.model.replay(number)
    case .receive(let number): place.model.receive(number)
    case .flush(let number): place.model.flush(number)
    case .cut(let number):
      place.model.chance.take(.cut)
      place.model.disconnect(number)
    }
  }
}
