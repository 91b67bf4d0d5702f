import TestSupport
import Testing

@testable import NotifyCore

/// The memory of rows that wait for a client.
extension SessionTests {
  @Test("Rows that are held back keep no more than themselves alive")
  func heldBack() throws {
    var session = DeliverySession(acknowledges: false)
    let batch = Sample.batch(Sample.keys(Array(UInt64(200)..<1_200)), bytes: 1_000)
    _ = session.route(batch, 7..<9, limits: limits)
    let held = try #require(session.catchUpBuffer.pop(bytes: 1).first)
    #expect(held.batch.bytes == Array(batch.bytes[batch.byteRange(7..<9)]))
    #expect(held.keys == Sample.keys([207, 208]))
    #expect(held.batch.base == batch.base && held.batch.snapshot == batch.snapshot)
  }

  @Test("Many small rows that are held back count with the memory that they take")
  mutating func heldBackBytes() {
    limits.catchUpRows = .max
    var session = DeliverySession(acknowledges: false)
    let batch = Sample.batch(Sample.keys(Array(UInt64(200)..<1_200)))
    let bytes = FrameSelection(batch, 0..<1).storedBytes
    #expect(bytes > 256)
    for _ in 0..<Limits.catchUpBytes / bytes { _ = session.route(batch, 0..<1, limits: limits) }
    #expect(!session.catchUpBuffer.overflowed)
    _ = session.route(batch, 0..<1, limits: limits)
    #expect(session.catchUpBuffer.overflowed)
  }
}
