import Metrics
import Synchronization

/// One metric with one set of labels.
protocol PrometheusSeries: AnyObject, Sendable {
  var kind: PrometheusKind { get }
  /// As they stand between the braces.
  var labels: String { get }
  func write(_ name: String, to text: inout String)
}

/// The kinds of the text format that the bridge has.
enum PrometheusKind: String, Sendable {
  case counter, gauge, histogram
}

/// A counter or a gauge.
final class PrometheusNumber: PrometheusSeries, CounterHandler, RecorderHandler, MeterHandler {
  let kind: PrometheusKind
  let labels: String
  /// An integer for a counter; the bits of a `Double` for a gauge.
  private let value = Atomic<UInt64>(0)

  init(kind: PrometheusKind, labels: String) {
    self.kind = kind
    self.labels = labels
  }

  func increment(by amount: Int64) { value.wrappingAdd(UInt64(bitPattern: max(0, amount)), ordering: .relaxed) }
  func reset() { value.store(0, ordering: .relaxed) }
  func record(_ value: Int64) { set(Double(value)) }
  func record(_ value: Double) { set(value) }
  func set(_ value: Int64) { set(Double(value)) }
  func set(_ value: Double) { self.value.store(value.bitPattern, ordering: .relaxed) }
  func increment(by amount: Double) { change(by: amount) }
  func decrement(by amount: Double) { change(by: -amount) }

  private func change(by amount: Double) {
    var seen = value.load(ordering: .relaxed)
    while true {
      let wanted = (Double(bitPattern: seen) + amount).bitPattern
      let (exchanged, original) = value.weakCompareExchange(expected: seen, desired: wanted, ordering: .relaxed)
      if exchanged { return }
      seen = original
    }
  }

  /// The present value.
  var number: Double {
    let raw = value.load(ordering: .relaxed)
    return kind == .counter ? Double(raw) : Double(bitPattern: raw)
  }

  func write(_ name: String, to text: inout String) {
    let raw = value.load(ordering: .relaxed)
    let number = kind == .counter ? String(raw) : PrometheusText.number(Double(bitPattern: raw))
    text += labels.isEmpty ? "\(name) \(number)\n" : "\(name){\(labels)} \(number)\n"
  }
}
