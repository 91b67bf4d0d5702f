import Testing

@testable import notify_bridge

@Suite("Progress of long work")
struct ProgressBarTests {
  @Test(
    "Bytes have a unit of which there is one at least",
    arguments: [
      (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1_000, "1.0 kB"), (1_550, "1.6 kB"), (999_949, "999.9 kB"),
      (999_950, "1.0 MB"), (2_500_000_000, "2.5 GB"), (Int64.max, "9223372.0 TB"),
    ] as [(Int64, String)])
  func bytes(bytes: Int64, text: String) { #expect(ByteText.text(bytes) == text) }

  @Test("The bar is as full as the work is done, and never more than full")
  func bar() {
    let bar = ProgressBar(of: 200, "rows")
    let none = String(repeating: "░", count: 24)
    let half = String(repeating: "█", count: 12) + String(repeating: "░", count: 12)
    let full = String(repeating: "█", count: 24)
    #expect(bar.line(0) == "\(none) 0%  0 of 200 rows\u{1b}[K")
    #expect(bar.line(100) == "\(half) 50%  100 of 200 rows\u{1b}[K")
    #expect(bar.line(300) == "\(full) 100%  300 of 300 rows\u{1b}[K")
  }
}
