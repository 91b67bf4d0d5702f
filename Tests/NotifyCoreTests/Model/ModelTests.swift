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

/// Accounts for every row at every client, exactly.
enum Accounting {
  static func faults(_ model: Model) -> [String] {
    var faults: [String] = []
    // A key is that of the newest row: ids of rolled-back rows may have been used again.
    let rows = Dictionary(model.database.rows.map { ($0.key, $0) }) { $1 }
    for (number, client) in model.clients.enumerated() {
      let connections = client.history + (client.connection.map { [$0.received] } ?? [])
      for received in connections {
        if Set(received).count != received.count { faults.append("client \(number): twice on a connection") }
        var newestBegin = 0
        for key in received {
          guard let row = rows[key] else {
            faults.append("client \(number): a row that was rolled back")
            continue
          }
          if row.user != client.user { faults.append("client \(number): another user's row") }
          // `began` counts the commits before the transaction began, `committed` includes the row's own.
          if newestBegin >= row.committed { faults.append("client \(number): a row after one that began later") }
          newestBegin = max(newestBegin, row.began)
        }
      }
      if let connection = client.connection {
        let lacking = connection.owed.subtracting(connection.received).filter { rows[$0] != nil }
        if !lacking.isEmpty { faults.append("client \(number): lacks \(lacking.count) rows unsent when it connected") }
      }
      guard let first = client.firstConnect else { continue }
      let has = Set(connections.joined())
      let missing = rows.values.filter { $0.user == client.user && $0.committed > first && !has.contains($0.key) }
      if !missing.isEmpty { faults.append("client \(number): \(missing.count) rows missing") }
    }
    // Whoever is connected in the end got everything: nothing of a user's may be left unsent.
    let unsent = rows.values.filter { !$0.isSent }
    if !unsent.isEmpty { faults.append("\(unsent.count) rows unsent") }
    let received = Set(model.clients.flatMap { $0.history.joined() + ($0.connection?.received ?? []) })
    let ghosts = rows.values.filter { $0.isSent && !received.contains($0.key) }
    if !ghosts.isEmpty { faults.append("\(ghosts.count) rows marked that nobody got") }
    return faults
  }
}

@Suite("The path of rows, as a model")
struct ModelTests {
  static func faults(seed: UInt64, without rule: Rule? = nil, steps: Int = 1_500) -> [String] {
    var model = Model(seed: seed, without: rule)
    for _ in 0..<steps { model.step() }
    model.settle()
    return Accounting.faults(model)
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
      var model = Model(seed: seed)
      for _ in 0..<1_500 { model.step() }
      recovered += model.recovered
    }
    #expect(recovered > 10)
  }

  @Test("The accounting fails when any rule is left out", arguments: Rule.allCases)
  func mutants(rule: Rule) {
    let caught = (UInt64(0)..<500).contains { !Self.faults(seed: $0, without: rule).isEmpty }
    #expect(caught, "leaving out \(rule) was not noticed")
  }
}
