import Synchronization

/// The last hour, for the console's charts: one sample every few seconds in a ring of fixed size.
final class ConsoleHistory: Sendable {
  /// The time between two samples, in seconds.
  static let interval = 5
  /// Samples that are kept: an hour.
  static let capacity = 3_600 / interval

  /// Five seconds of the gateway.
  struct Sample: Equatable {
    /// Its number since the start, from 1 on.
    let serial: Int
    /// Its end, in seconds since 1970.
    let seconds: Int64
    /// Rows written to sockets, counted for each device, live or by a replay.
    let rowsPerSecond: Double
    let connections: Int
    /// Seconds from a row's creation until the kernel took it, at p50, p99 and p99.9; nil where no row was written.
    let latencies: [Double]?
  }

  /// The counters at one instant.
  struct CounterReading {
    /// Microseconds since 1970.
    let wall: Int64
    let rows: Double
    let connections: Int
    /// The histogram of latencies, by bucket.
    let latencies: [UInt64]
  }

  private struct State {
    var samples: [Sample] = []
    /// The number of the next sample.
    var next = 1
    var last: CounterReading
  }

  private let state: Mutex<State>
  /// Tells this run of the program from another one, whose samples have other numbers.
  private let run: Int64

  /// Starts an empty history.
  init(_ first: CounterReading) {
    run = first.wall
    var state = State(last: first)
    state.samples.reserveCapacity(Self.capacity)
    self.state = Mutex(state)
  }

  /// Adds the sample that lies between the last reading and this one.
  func record(_ reading: CounterReading) {
    state.withLock { state in
      let last = state.last
      let seconds = max(Double(reading.wall - last.wall) / 1_000_000, 1)
      let counts = zip(reading.latencies, last.latencies).map { $0 &- $1 }
      let latencies = [0.5, 0.99, 0.999].compactMap { PrometheusHistogram.quantile($0, of: counts) }
      let sample = Sample(
        serial: state.next, seconds: reading.wall / 1_000_000,
        rowsPerSecond: max(0, reading.rows - last.rows) / seconds,
        connections: reading.connections, latencies: latencies.isEmpty ? nil : latencies)
      let place = (state.next - 1) % Self.capacity
      if place < state.samples.count { state.samples[place] = sample } else { state.samples.append(sample) }
      state.next += 1
      state.last = reading
    }
  }

  /// The samples after a number, oldest first.
  func samples(after serial: Int) -> [Sample] {
    state.withLock { state in
      let oldest = max(1, state.next - Self.capacity)
      let first = max(oldest, min(serial, state.next) + 1)
      return first < state.next ? (first..<state.next).map { state.samples[($0 - 1) % Self.capacity] } : []
    }
  }

  /// The samples after a number as JSON: arrays of serial, time, rows/s, connections, p50, p99 and p99.9.
  func json(after serial: Int) -> String {
    let samples = samples(after: serial).map { sample in
      let latencies = sample.latencies?.map { Self.number($0, decimals: 6) } ?? ["null", "null", "null"]
      let fields = [
        "\(sample.serial)", "\(sample.seconds)", Self.number(sample.rowsPerSecond, decimals: 2),
        "\(sample.connections)",
      ]
      return "[\((fields + latencies).joined(separator: ","))]"
    }
    return #"{"run":\#(run),"interval":\#(Self.interval),"capacity":\#(Self.capacity),"#
      + #""samples":[\#(samples.joined(separator: ","))]}"#
  }

  private static func number(_ value: Double, decimals: Int) -> String {
    var scale = 1.0
    for _ in 0..<decimals { scale *= 10 }
    return PrometheusText.number((value * scale).rounded() / scale)
  }
}
