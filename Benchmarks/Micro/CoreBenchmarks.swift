import Foundation
import NotifyCore

/// The parts of a row's path that do no I/O.
enum CoreBenchmarks {
  static let all: [Benchmark] =
    [
      batch(rows: 1, users: 1), batch(rows: 10, users: 1), batch(rows: 100, users: 1), batch(rows: 1_000, users: 1),
      batch(rows: 100, users: 100), batch(rows: 1_000, users: 100), batch(rows: 1_000, users: 100, isUUID: true),
    ] + [
      encoder,
      repeated("snapshot/parse", per: "snapshot") { Snapshot("81230:81241:81233,81237")?.xip.count ?? 0 },
      repeated("snapshot/print", per: "snapshot") { snapshot.description.utf8.count },
      repeated("cursor/print", per: "cursor") {
        Cursor(epoch: epoch, snapshot: snapshot, durable: 90_000).text.utf8.count
      },
      cursorRead,
      message("ping", #"{"type":"ping"}"#),
      message("ack", #"{"type":"ack","ids":[1001,1002,1003,1004,1005,1006,1007,1008,1009,1010]}"#),
    ]

  static let epoch = Epoch(systemIdentifier: 7, timeline: 1)
  private static let snapshot = Snapshot(xmax: 81_241, xip: [81_233, 81_237])

  /// A chunk of a delta: added row by row, encoded, forgotten.
  private static func batch(rows: Int, users: Int, isUUID: Bool = false) -> Benchmark {
    let name = "batch/\(rows) rows for \(users) users" + (isUUID ? " with uuids" : "")
    return Benchmark(name, per: "row") { probe in
      var builder = BatchBuilder(catalog: Rows.oneTable)
      let names = (0..<users).map { isUUID ? Rows.uuid($0) : UserID(Int64($0)) }
      var bytes = 0
      return await probe.steady(units: rows, rounds: max(10, 2_000 / rows)) {
        for row in 0..<rows { Rows.add(names[row % users], row, to: &builder) }
        bytes += Rows.finish(&builder).bytes.count
      }
    }
  }

  private static let encoder = Benchmark("encoder/row", per: "row") { probe in
    var encoder = NotificationEncoder()
    var bytes: [UInt8] = []
    return await probe.steady(units: 100, rounds: 20) {
      bytes.removeAll(keepingCapacity: true)
      for row in 0..<100 {
        Rows.payload.withUnsafeBytes { data in
          encoder.append(
            id: .integer(Int64(row)), source: nil, createdAt: Rows.instant + Int64(row), cursor: nil, data: data,
            to: &bytes)
        }
      }
    }
  }

  private static let cursorRead = repeated("cursor/read", per: "cursor") {
    if case .cursor(let snapshot) = Cursor.read(cursorText, epoch: epoch) { snapshot.xip.count } else { 0 }
  }
  private static let cursorText = Cursor(epoch: epoch, snapshot: snapshot, durable: 90_000).text

  private static func message(_ kind: String, _ text: String) -> Benchmark {
    let data = Data(text.utf8)
    return repeated("message/\(kind)", per: "message") {
      if case .invalid = data.withUnsafeBytes(ClientMessage.read) { 0 } else { 1 }
    }
  }

  private static func repeated(
    _ name: String, per unit: String, _ body: @escaping @Sendable () -> Int
  ) -> Benchmark {
    Benchmark(name, per: unit) { probe in
      var sum = 0
      let cost = await probe.steady(units: 100, rounds: 20) {
        for _ in 0..<100 { sum &+= body() }
      }
      guard sum != 0 else { throw Failure(description: "\(name): nothing was done") }
      return cost
    }
  }
}
