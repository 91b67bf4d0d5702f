import CMicroSupport
import Foundation
import NotifyCore

/// What a connection costs that only waits.
enum IdleBenchmarks {
  static let all: [Benchmark] = [
    Benchmark("idle/connection", per: "connection") { probe in
      try await MicroGateway.run { gateway in
        let count = probe.keepsStacks ? 100 : 1_000
        // What the first ones make stays: it is no cost of those that follow.
        let first = try await connect(0..<100, to: gateway)
        if probe.keepsStacks { micro_stacks_keep() }
        let start = micro_counts_now()
        let began = ContinuousClock.now
        let sockets = try await connect(100..<(100 + count), to: gateway)
        let end = micro_counts_now()
        var cost = Cost(from: start, to: end, in: ContinuousClock.now - began, units: count)
        cost.held = Double(end.held - start.held) / Double(count)
        if probe.keepsStacks { micro_stacks_print(UInt32(count)) }
        for socket in first + sockets { close(socket) }
        return cost
      }
    }
  ]

  @MainActor
  private static func connect(_ users: Range<Int>, to gateway: MicroGateway) async throws -> [Int32] {
    let sockets = try gateway.connect(users.map(Int64.init))
    try await gateway.settle()
    return sockets
  }
}
