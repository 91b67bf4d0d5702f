import CMicroSupport

/// One thing that is measured.
struct Benchmark: Sendable {
  /// How thresholds and the command line call it.
  let name: String
  /// What the figures are divided by, in words.
  let unit: String
  let run: @MainActor @Sendable (Probe) async throws -> Cost

  init(_ name: String, per unit: String, _ run: @escaping @MainActor @Sendable (Probe) async throws -> Cost) {
    self.name = name
    self.unit = unit
    self.run = run
  }
}

/// What one unit has cost, on average.
struct Cost: Sendable {
  var allocations = 0.0
  /// That were asked for.
  var bytes = 0.0
  /// System calls that send.
  var writes = 0.0
  /// Bytes that are still in use; nil where that is no question.
  var held: Double?
  /// Only for information: it depends on the machine and what else runs.
  var nanoseconds = 0.0

  init() {}

  init(from start: micro_counts, to end: micro_counts, in time: Duration, units: Int) {
    let units = Double(units)
    allocations = Double(end.allocations - start.allocations) / units
    bytes = Double(end.bytes - start.bytes) / units
    writes = Double(end.writes - start.writes) / units
    nanoseconds = (Double(time.components.seconds) * 1e9 + Double(time.components.attoseconds) / 1e9) / units
  }
}

/// A benchmark's outcome.
struct Result: CustomStringConvertible, Sendable {
  let name: String
  let unit: String
  let cost: Cost

  init(_ benchmark: Benchmark, _ cost: Cost) {
    name = benchmark.name
    unit = benchmark.unit
    self.cost = cost
  }

  var description: String {
    var text = name.padding(to: 44) + "\(cost.allocations.rounded(to: 3)) allocations".padding(to: 20)
    text += "\(Int(cost.bytes)) bytes".padding(to: 14)
    if let held = cost.held { text += "\(Int(held)) bytes held".padding(to: 18) }
    if cost.writes > 0 { text += "\(cost.writes.rounded(to: 3)) writes".padding(to: 14) }
    if cost.nanoseconds > 0 { text += "\(Int(cost.nanoseconds)) ns".padding(to: 12) }
    return text + "per \(unit)"
  }
}

/// Measures.
struct Probe: Sendable {
  /// Prints where the allocations come from.
  var keepsStacks = false

  /// Runs `body` until it is in its steady state, and then again and again.
  ///
  /// - Parameters:
  ///   - units: how many units one call does.
  ///   - rounds: calls of a group. Groups are compared, so that what a timer allocates meanwhile doesn't count.
  /// - Returns: the cheapest group's cost of one unit.
  @MainActor
  func steady(
    units: Int, rounds: Int, groups: Int = 9, _ body: @MainActor () async throws -> Void
  ) async rethrows -> Cost {
    for _ in 0..<rounds { try await body() }
    if keepsStacks { micro_stacks_keep() }
    var best: Cost?
    for _ in 0..<groups {
      let began = ContinuousClock.now
      let start = micro_counts_now()
      for _ in 0..<rounds { try await body() }
      let end = micro_counts_now()
      let cost = Cost(from: start, to: end, in: ContinuousClock.now - began, units: units * rounds)
      if cost.allocations < best?.allocations ?? .infinity { best = cost }
    }
    if keepsStacks { micro_stacks_print(UInt32(rounds * groups)) }
    return best ?? Cost()
  }
}

extension String {
  /// The text with blanks behind it, and at least one.
  fileprivate func padding(to length: Int) -> String {
    self + String(repeating: " ", count: max(1, length - count))
  }
}

extension Double {
  /// The number with so many digits after the point.
  func rounded(to digits: Int) -> Double {
    let factor = (0..<digits).reduce(1.0) { factor, _ in factor * 10 }
    return (self * factor).rounded() / factor
  }
}
