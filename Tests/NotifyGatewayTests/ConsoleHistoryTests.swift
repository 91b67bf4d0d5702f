import Testing

@testable import NotifyGateway

@Suite("The console's last hour")
struct ConsoleHistoryTests {
  private static let bounds = PrometheusHistogram.bounds.count + 1

  private static func reading(
    second: Int64, rows: Double = 0, connections: Int = 0, latencies: [UInt64] = Array(repeating: 0, count: bounds)
  ) -> ConsoleHistory.CounterReading {
    .init(wall: second * 1_000_000, rows: rows, connections: connections, latencies: latencies)
  }

  @Test("A sample has the rate since the one before, and the quantiles of its own rows")
  func rates() {
    var counts = [UInt64](repeating: 0, count: Self.bounds)
    counts[3] = 1_000  // Up to 1 ms, from before.
    let history = ConsoleHistory(Self.reading(second: 100, rows: 50, latencies: counts))
    counts[6] = 100  // 5 to 10 ms.
    history.record(Self.reading(second: 105, rows: 150, connections: 3, latencies: counts))
    history.record(Self.reading(second: 110, rows: 150, connections: 2, latencies: counts))
    let samples = history.samples(after: 0)
    #expect(samples.map(\.serial) == [1, 2])
    #expect(samples.map(\.rowsPerSecond) == [20, 0])
    #expect(samples.map(\.connections) == [3, 2])
    #expect(samples[0].latencies?.map { ($0 * 1e6).rounded() } == [7_500, 9_950, 9_995])
    #expect(samples[1].latencies == nil)
  }

  @Test("It keeps an hour, and gives what is newer than a number")
  func bounded() {
    let history = ConsoleHistory(Self.reading(second: 0))
    for number in 1...(ConsoleHistory.capacity + 5) { history.record(Self.reading(second: Int64(number) * 5)) }
    let all = history.samples(after: 0)
    #expect(all.count == ConsoleHistory.capacity)
    #expect(all.map(\.serial) == Array(6...(ConsoleHistory.capacity + 5)))
    #expect(all.last?.seconds == Int64(ConsoleHistory.capacity + 5) * 5)
    #expect(history.samples(after: ConsoleHistory.capacity + 3).map(\.serial) == [724, 725])
    #expect(history.samples(after: ConsoleHistory.capacity + 5).isEmpty)
    #expect(history.samples(after: .max).isEmpty)
    #expect(history.samples(after: .min).count == ConsoleHistory.capacity)
  }

  @Test("Quantiles are those of histogram_quantile, and a value above all bounds counts as the last one")
  func quantiles() {
    var counts = [UInt64](repeating: 0, count: Self.bounds)
    #expect(PrometheusHistogram.quantile(0.5, of: counts) == nil)
    counts[0] = 10
    #expect(PrometheusHistogram.quantile(0.5, of: counts).map { ($0 * 1e6).rounded() } == 50)
    counts[Self.bounds - 1] = 1_000
    #expect(PrometheusHistogram.quantile(0.99, of: counts) == 60)
  }
}
