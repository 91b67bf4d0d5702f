import NotifyCore
import Testing

/// SplitMix64 (Steele, Lea, Flood 2014): the same numbers for a seed on every machine.
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64
  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }
}

/// Steps that a seed chooses.
struct SeededModel {
  var model: Model

  init(seed: UInt64, without rule: Rule? = nil) {
    var limits = Limits()
    limits.catchUpRows = 6
    // Room for nothing behind the first row, or for some, also of those held back.
    limits.queueBytes = seed % 2 == 0 ? 1 : 1_500
    limits.replayRows = 1_000_000
    model = Model(
      clients: (0..<6).map { ModelClient(user: UserID(Int64($0 % 3)), isSlow: $0 % 2 == 1) }, limits: limits,
      pageRows: 4, chance: Chance(seed: seed), without: rule)
  }

  mutating func step() {
    let writer = model.chance.pick(5)
    let client = model.chance.pick(model.clients.count)
    switch model.chance.pick(100) {
    case 0..<12: if model.database.open[writer] == nil { model.database.begin(writer) }
    case 12..<32: model.database.insert(writer, user: UserID(Int64(model.chance.pick(3))))
    case 32..<42: model.database.commit(writer)
    case 42..<45: model.database.rollback(writer)
    case 45..<55: model.fetch()
    case 55..<68: model.route()
    case 68..<72: if model.clients[client].connection == nil { model.connect(client) }
    case 72..<80: model.replay(client)
    case 80..<88: model.receive(client)
    case 88..<92: takeSome(client)
    case 92..<94: model.disconnect(client)
    case 94..<97: model.mark()
    case 97: if model.chance.pick(4) == 0 { model.kill() } else { model.scan() }
    default: if model.chance.pick(3) == 0 { model.crash() }
    }
  }

  /// A client takes what waits for it, and some of what comes then.
  private mutating func takeSome(_ client: Int) {
    for _ in 0...model.chance.pick(6) {
      model.flush(client)
      model.replay(client)
      model.receive(client)
    }
  }
}

@Suite("The path of rows, as a model")
struct ModelTests {
  static func faults(seed: UInt64, without rule: Rule? = nil, steps: Int = 1_500) -> [String] {
    var seeded = SeededModel(seed: seed, without: rule)
    for _ in 0..<steps { seeded.step() }
    seeded.model.settle()
    return Accounting.faults(seeded.model)
  }

  @Test(
    "The model loses, doubles and reorders no row, whatever is committed, cut, killed or crashes", arguments: 0..<20)
  func exact(block: Int) {
    for seed in UInt64(block * 25)..<UInt64(block * 25 + 25) {
      let faults = Self.faults(seed: seed)
      #expect(faults.isEmpty, "seed \(seed): \(faults)")
    }
  }

  @Test("Clients of the model fall behind and catch up, again and again")
  func fallsBehind() {
    var recovered = 0
    for seed in UInt64(0)..<100 {
      var seeded = SeededModel(seed: seed)
      for _ in 0..<1_500 { seeded.step() }
      recovered += seeded.model.recovered
    }
    #expect(recovered > 10)
  }

  @Test("The accounting fails when any rule is left out", arguments: Rule.allCases)
  func mutants(rule: Rule) {
    let caught = (UInt64(0)..<500).contains { !Self.faults(seed: $0, without: rule).isEmpty }
    #expect(caught, "leaving out \(rule) was not noticed")
  }
}
