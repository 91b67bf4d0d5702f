import Metrics
import Synchronization

/// A histogram of seconds with fixed buckets.
final class PrometheusHistogram: PrometheusSeries, RecorderHandler, TimerHandler {
  /// The buckets' upper bounds: from the cost of one row to a delay that a person notices.
  static let bounds: [Double] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60,
  ]

  /// One count; a class, since an array can't hold a noncopyable atomic.
  private final class Count: Sendable {
    let value = Atomic<UInt64>(0)
  }

  let kind = PrometheusKind.histogram
  let labels: String
  /// One more than bounds, for values above the last.
  private let counts = (0...PrometheusHistogram.bounds.count).map { _ in Count() }
  private let nanoseconds = Atomic<Int64>(0)

  init(labels: String) { self.labels = labels }

  func record(_ value: Int64) { record(Double(value)) }

  func record(_ value: Double) {
    guard value.isFinite else { return }
    var bucket = 0
    while bucket < Self.bounds.count, Self.bounds[bucket] < value { bucket += 1 }
    counts[bucket].value.wrappingAdd(1, ordering: .relaxed)
    nanoseconds.wrappingAdd(Int64(min(max(value, -9e9), 9e9) * 1e9), ordering: .relaxed)
  }

  func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

  /// The counts of the buckets, each without those below, the values above the last bound at the end.
  var bucketCounts: [UInt64] { counts.map { $0.value.load(ordering: .relaxed) } }

  /// A quantile of values counted by bucket, as Prometheus' `histogram_quantile` estimates it: nil where there are none.
  static func quantile(_ quantile: Double, of counts: [UInt64]) -> Double? {
    let total = counts.reduce(0, +)
    if total == 0 { return nil }
    let rank = quantile * Double(total)
    var below = 0.0
    for (bucket, count) in zip(0..., counts) where count > 0 {
      guard bucket < bounds.count else { break }
      if below + Double(count) >= rank {
        let lower = bucket == 0 ? 0 : bounds[bucket - 1]
        return lower + (bounds[bucket] - lower) * (rank - below) / Double(count)
      }
      below += Double(count)
    }
    return bounds.last
  }

  func write(_ name: String, to text: inout String) {
    let prefix = labels.isEmpty ? "" : labels + ","
    var total: UInt64 = 0
    for (bound, count) in zip(Self.bounds + [.infinity], counts) {
      total += count.value.load(ordering: .relaxed)
      text += "\(name)_bucket{\(prefix)le=\"\(PrometheusText.number(bound))\"} \(total)\n"
    }
    let braces = labels.isEmpty ? "" : "{\(labels)}"
    text += "\(name)_sum\(braces) \(PrometheusText.number(Double(nanoseconds.load(ordering: .relaxed)) / 1e9))\n"
    text += "\(name)_count\(braces) \(total)\n"
  }
}
