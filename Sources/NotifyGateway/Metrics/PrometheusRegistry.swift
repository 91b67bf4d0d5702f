package import Metrics
import Synchronization

/// A backend of swift-metrics that keeps its values in memory and writes Prometheus' text format.
///
/// Recording is a few atomic operations: it may be done on an event loop. Two metrics of one name and labels are one.
package final class PrometheusRegistry: MetricsFactory {
  private let series = Mutex<[String: [any PrometheusSeries]]>([:])

  /// Makes an empty registry.
  package init() {}

  // MARK: MetricsFactory

  /// Makes a counter, or returns the existing one.
  package func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
    find(label, dimensions, PrometheusNumber.self) { PrometheusNumber(kind: .counter, labels: $0) }
  }

  /// Makes a histogram of seconds where `aggregate`, else a gauge, or returns the existing one.
  package func makeRecorder(label: String, dimensions: [(String, String)], aggregate: Bool) -> any RecorderHandler {
    if aggregate { return find(label, dimensions, PrometheusHistogram.self) { PrometheusHistogram(labels: $0) } }
    return find(label, dimensions, PrometheusNumber.self) { PrometheusNumber(kind: .gauge, labels: $0) }
  }

  /// Makes a gauge, or returns the existing one.
  package func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
    find(label, dimensions, PrometheusNumber.self) { PrometheusNumber(kind: .gauge, labels: $0) }
  }

  /// Makes a histogram of seconds, or returns the existing one.
  package func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
    find(label, dimensions, PrometheusHistogram.self) { PrometheusHistogram(labels: $0) }
  }

  /// Does nothing: a metric of the bridge lives as long as the bridge.
  package func destroyCounter(_ handler: any CounterHandler) {}
  /// Does nothing: a metric of the bridge lives as long as the bridge.
  package func destroyRecorder(_ handler: any RecorderHandler) {}
  /// Does nothing: a metric of the bridge lives as long as the bridge.
  package func destroyMeter(_ handler: any MeterHandler) {}
  /// Does nothing: a metric of the bridge lives as long as the bridge.
  package func destroyTimer(_ handler: any TimerHandler) {}

  private func find<Series: PrometheusSeries>(
    _ label: String, _ dimensions: [(String, String)], _ type: Series.Type, make: (String) -> Series
  ) -> Series {
    let name = PrometheusText.name(label)
    let labels = PrometheusText.labels(dimensions)
    return series.withLock { all in
      if let known = all[name]?.first(where: { $0.labels == labels }) as? Series { return known }
      let new = make(labels)
      // A second kind under one name would make the whole text unreadable: such a metric counts, but isn't shown.
      if all[name, default: []].allSatisfy({ $0.kind == new.kind }) { all[name, default: []].append(new) }
      return new
    }
  }

  // MARK: Values

  /// The value of a counter or gauge, 0 where there is none.
  func value(of name: String, labels: String = "") -> Double {
    (find(name, labels) as? PrometheusNumber)?.number ?? 0
  }

  /// The counts of a histogram's buckets; nil where there is none.
  func counts(of name: String) -> [UInt64]? {
    (find(name, "") as? PrometheusHistogram)?.bucketCounts
  }

  private func find(_ name: String, _ labels: String) -> (any PrometheusSeries)? {
    series.withLock { $0[name]?.first { $0.labels == labels } }
  }

  // MARK: Text

  /// All metrics in Prometheus' text format, version 0.0.4, ordered by name.
  package func text() -> String {
    var text = ""
    for (name, all) in series.withLock({ $0.sorted { $0.key < $1.key } }) {
      guard let kind = all.first?.kind else { continue }
      text += "# HELP \(name) \(MetricHelp.text(of: name))\n# TYPE \(name) \(kind.rawValue)\n"
      for one in all { one.write(name, to: &text) }
    }
    return text
  }
}
