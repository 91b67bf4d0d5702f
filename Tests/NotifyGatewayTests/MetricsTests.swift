import Metrics
import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("The registry writes Prometheus' text format")
struct MetricsTests {
  @Test("Counters, gauges and histograms have their lines")
  func text() {
    let registry = PrometheusRegistry()
    let counter = Counter(label: "a_total", dimensions: [("code", "4\"0\\01")], factory: registry)
    counter.increment(by: 3)
    Counter(label: "a_total", dimensions: [("code", "4\"0\\01")], factory: registry).increment()
    Gauge(label: "b.c", factory: registry).record(1.5)
    Meter(label: "m", factory: registry).increment(by: 2)
    let recorder = Recorder(label: "t_seconds", dimensions: [], aggregate: true, factory: registry)
    recorder.record(0.0002)
    recorder.record(0.5)
    recorder.record(100)
    let text = registry.text()
    #expect(text.contains("# HELP a_total a_total\n# TYPE a_total counter\na_total{code=\"4\\\"0\\\\01\"} 4\n"))
    #expect(text.contains("# TYPE b_c gauge\nb_c 1.5\n"))
    #expect(text.contains("# TYPE m gauge\nm 2\n"))
    #expect(text.contains("# TYPE t_seconds histogram\n"))
    #expect(text.contains("t_seconds_bucket{le=\"0.0001\"} 0\n"))
    #expect(text.contains("t_seconds_bucket{le=\"0.00025\"} 1\n"))
    #expect(text.contains("t_seconds_bucket{le=\"0.5\"} 2\n"))
    #expect(text.contains("t_seconds_bucket{le=\"60\"} 2\nt_seconds_bucket{le=\"+Inf\"} 3\n"))
    #expect(text.contains("t_seconds_sum 100.5002\nt_seconds_count 3\n"))
  }

  @Test("/metrics counts events and names no user", .timeLimit(.minutes(1)))
  func endpoint() async throws {
    try await RunningGateway.run(GatewaySettings(version: "1.2.3")) { running in
      let client = try await running.connected(user: 4711)
      await running.gateway.sink.deliver(Rows.batch([(4711, [1, 2])]))
      _ = await running.confirmations.rows(2)
      let text = try await running.client().request("GET /metrics").body
      for line in [
        "build_info{version=\"1.2.3\"} 1", "connects_total 1", "connections 1", "users 1", "rows_delivered_total 2",
        "doorbell_to_socket_seconds_count 2",
      ] {
        #expect(text.contains("\nnotify_bridge_\(line)\n"), "\(line)")
      }
      #expect(!text.contains("4711"))
      await client.close()
    }
  }

  @Test("With an admin port, metrics are there alone", .timeLimit(.minutes(1)))
  func adminPort() async throws {
    try await RunningGateway.run(GatewaySettings(adminPort: 0)) { running in
      let client = try await running.client()
      #expect(try await client.request("GET /metrics").status == 404)
      #expect(try await client.request("GET /healthz").status == 200)
    }
  }
}
