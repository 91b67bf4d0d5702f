import ArgumentParser
import Testing

@testable import notify_bridge

@Suite("A report")
struct ReportTests {
  @Test("A table aligns its columns, leaves out empty ones and draws the first number")
  func table() {
    let table = ReportTable(
      columns: [.text("day"), .text("key"), .count("rows"), .seconds("p50")],
      rows: [["Mon", nil, "100", "0.5"], ["Tue", nil, "50", nil], ["We\n", nil, "0", "12.34567"]])
    #expect(
      table.lines(bars: false) == [
        "day   rows      p50", "Mon    100   0.5000", "Tue     50", "We\\n     0  12.3457",
      ])
    #expect(table.lines(bars: true)[1].hasSuffix("  " + String(repeating: "█", count: 24)))
    #expect(table.lines(bars: true)[2].hasSuffix(" " + String(repeating: "█", count: 12)))
    #expect(table.lines(bars: true)[3] == "We\\n     0  12.3457")
    #expect(ReportTable(columns: [.count("rows")], rows: []).lines(bars: true) == ["no rows"])
    #expect(ReportTable(columns: [.count("rows")], rows: [["3"], ["8"]]).lines(bars: true)[1].hasSuffix("█████████"))
  }

  @Test("A small number has a bar that is not empty")
  func smallNumber() {
    let lines = ReportTable(columns: [.count("rows")], rows: [["1"], ["1000000"]]).lines(bars: true)
    #expect(lines[1].hasSuffix("  ▏"))
  }

  @Test("CSV quotes what needs it, and writes nothing for NULL")
  func csv() {
    let table = ReportTable(
      columns: [.text("key"), .count("rows")], rows: [["a \"b\", c", "1"], [nil, nil], ["d\r\n", "2"]])
    #expect(table.csvLines() == ["key,rows", "\"a \"\"b\"\", c\",1", ",", "\"d\r\n\",2"])
  }

  @Test("A time is a time of the server, or how long ago")
  func times() {
    #expect(ReportParameter.since.value("7d", placeholder: "$1") == ("now() - $1::interval", "604800 seconds"))
    #expect(ReportParameter.until.value("2026-05-01", placeholder: "$2") == ("$2::timestamptz", "2026-05-01"))
  }

  @Test("An option that a report has no parameter for is refused, and so is an unknown report")
  func options() {
    for arguments in [["latency", "--by", "user"], ["timeline"], ["backlog", "--timeout", "0"], ["nonsense"]] {
      #expect(throws: (any Error).self) { try NotifyBridge.parseAsRoot(["report"] + arguments) }
    }
    do {
      _ = try NotifyBridge.parseAsRoot(["report", "nonsense"])
    } catch {
      #expect(Program.failure(error).status == .usage)
      #expect(Report.allCases.allSatisfy { Program.failure(error).text.contains($0.rawValue) })
    }
  }
}
