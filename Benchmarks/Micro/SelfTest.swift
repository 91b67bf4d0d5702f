import CMicroSupport
import Foundation
import NIOCore
import Synchronization

/// Shows that what is counted is all there is, and that thresholds notice what they are for.
///
/// If the linker took the library's own malloc for one of the parts, every benchmark would read 0 and pass.
enum SelfTest {
  private final class Object: Sendable {
    let number = 1
  }

  /// How many checks `run` makes.
  static let count = 8

  static func run() throws {
    try expect(1, "malloc in C") { micro_allocate(100) }
    try expect(1, "an object of the Swift runtime") { keep(Object()) }
    try expect(1, "an array") { keep(Array(repeating: UInt8(1), count: 1_000)) }
    // The storage's object, and its bytes.
    try expect(2, "a buffer of NIO's") { keep(ByteBuffer(repeating: 1, count: 1_000)) }
    try expect(0, "nothing") {}
    try expectBytes()
    try expectWrite()
    try expectComplaints()
  }

  /// Takes a value where the optimiser can't see that nobody needs it.
  private static func keep(_ value: some Sendable) {
    kept.withLock { $0 = value }
  }

  private static let kept = Mutex<(any Sendable)?>(nil)

  private static func expect(_ expected: Int, _ what: String, _ body: () -> Void) throws {
    body()
    let start = micro_counts_now()
    for _ in 0..<100 { body() }
    let counted = Int(micro_counts_now().allocations - start.allocations)
    guard counted == expected * 100 else {
      throw Failure(description: "self-test: \(what), 100 times: \(counted) allocations counted, not \(expected * 100)")
    }
  }

  private static func expectBytes() throws {
    let start = micro_counts_now()
    let buffer = UnsafeMutableRawPointer.allocate(byteCount: 100_000, alignment: 64)
    let middle = micro_counts_now()
    buffer.deallocate()
    let end = micro_counts_now()
    guard middle.bytes - start.bytes >= 100_000, middle.held - start.held >= 100_000, end.held == start.held else {
      throw Failure(description: "self-test: the bytes of an aligned allocation are not counted, or not given back")
    }
  }

  private static func expectWrite() throws {
    let null = open("/dev/null", O_WRONLY)
    defer { close(null) }
    let start = micro_counts_now()
    var byte: UInt8 = 1
    guard unsafe write(null, &byte, 1) == 1, micro_counts_now().writes - start.writes == 1 else {
      throw Failure(description: "self-test: a write is not counted")
    }
  }

  /// The thresholds' own known-bad cases: too much, far too little, and a benchmark that is in no list.
  private static func expectComplaints() throws {
    func result(_ name: String, _ allocations: Double) -> Result {
      var cost = Cost()
      cost.allocations = allocations
      return Result(Benchmark(name, per: "row") { _ in Cost() }, cost)
    }
    let thresholds = Thresholds(allowing: [result("a", 10), result("b", 0.5)])
    let good = thresholds.complaints(about: [result("a", 10), result("b", 0.5)])
    let bad = [
      thresholds.complaints(about: [result("a", 11), result("b", 0.5)]),
      thresholds.complaints(about: [result("a", 7), result("b", 0.5)]),
      thresholds.complaints(about: [result("a", 10), result("b", 0.5), result("c", 0)]),
      thresholds.complaints(about: [result("a", 10)]),
    ]
    guard good.isEmpty, bad.allSatisfy({ $0.count == 1 }) else {
      throw Failure(description: "self-test: a threshold does not notice what it is for")
    }
  }
}
