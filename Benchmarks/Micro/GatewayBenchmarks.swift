import CMicroSupport
import Dispatch
import NIOCore
import NIOPosix
import NotifyCore

/// The whole path of a row behind the database: from the bytes that the store has read to the sockets, and back to the
/// confirmation. Everything that the process allocates meanwhile is counted.
enum GatewayBenchmarks {
  static let all: [Benchmark] = [
    benchmark("1 row to 1 of 100 connections", Load(users: 100, rounds: 200) { [$0 % 100] }),
    benchmark(
      "100 rows to 1 of 100 connections",
      Load(users: 100, rounds: 100) { Array(repeating: $0 % 100, count: 100) }),
    benchmark("100 rows to 100 connections", Load(users: 100, rounds: 100) { _ in Array(0..<100) }),
    benchmark("1000 rows to 100 connections", Load(users: 100, rounds: 20) { _ in (0..<1_000).map { $0 % 100 } }),
    benchmark("1 row to 1000 devices of a user", Load(users: 1, devices: 1_000, rounds: 20) { _ in [0] }),
    benchmark(
      "3 times 100 rows in a turn to 100 connections",
      Load(users: 100, batches: 3, rounds: 50) { _ in Array(0..<100) }),
  ]

  /// Who is there, and what is sent.
  private struct Load: Sendable {
    var users: Int
    /// Of each user.
    var devices = 1
    /// Delivered in one turn of the event loops.
    var batches = 1
    var rounds: Int
    /// Whose rows a round's batches hold; rounds repeat after so many as there are users.
    var recipients: @Sendable (_ round: Int) -> [Int]
  }

  private static func benchmark(_ name: String, _ load: Load) -> Benchmark {
    Benchmark("gateway/\(name)", per: "row and connection") { probe in
      try await MicroGateway.run { gateway in try await measure(probe, gateway, load) }
    }
  }

  @MainActor
  private static func measure(_ probe: Probe, _ gateway: MicroGateway, _ load: Load) async throws -> Cost {
    let names = (0..<load.users).map { UserID(Int64($0)) }
    let recipients = (0..<load.users).map { load.recipients($0).map { names[$0] } }
    let users = (0..<load.users * load.devices).map { Int64($0 / load.devices) }
    let sockets = try gateway.connect(users)
    guard micro_clients_read(sockets, sockets.count) else { throw Failure(description: "the clients can't be read") }
    defer { micro_clients_close() }
    try await gateway.settle()

    var builder = BatchBuilder(catalog: Rows.oneTable)
    var (round, bytes, rows) = (0, 0, 0)
    let turn = load.batches > 1 ? Turn() : nil
    var cost = try await probe.steady(units: recipients[0].count * load.batches * load.devices, rounds: load.rounds) {
      let users = recipients[round % recipients.count]
      turn?.hold()
      for _ in 0..<load.batches {
        for (row, user) in users.enumerated() { Rows.add(user, row, to: &builder) }
        let batch = Rows.finish(&builder, loops: gateway.sink.loops(of: builder.users))
        bytes += batch.bytes.count * load.devices
        // Each loop that has devices of the user confirms the row.
        rows += batch.frames.count * (load.devices > 1 ? 2 : 1)
        await gateway.sink.deliver(batch)
      }
      turn?.release()
      round += 1
      guard micro_wait(UInt64(bytes), UInt64(rows)) else { throw Failure(description: "rows did not arrive") }
    }
    let received = sockets.indices.reduce(0) { $0 + Int(micro_clients_bytes($1)) }
    guard received == bytes else { throw Failure(description: "\(received) bytes arrived, not \(bytes)") }
    // One flush for each connection that got something, in a turn.
    let perConnection = recipients[0].count * load.batches / Set(recipients[0]).count
    cost.writes *= Double(perConnection)
    return cost
  }

  /// Keeps the event loops from going on, so that all that is delivered meanwhile falls into one turn.
  private final class Turn: Sendable {
    private let gate = DispatchSemaphore(value: 0)

    func hold() {
      for eventLoop in MultiThreadedEventLoopGroup.singleton.makeIterator() {
        eventLoop.execute { [gate] in gate.wait() }
      }
    }

    func release() {
      for _ in MultiThreadedEventLoopGroup.singleton.makeIterator() { gate.signal() }
    }
  }
}
