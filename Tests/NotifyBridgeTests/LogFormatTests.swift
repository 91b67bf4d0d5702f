import Foundation
import Logging
import Testing

@testable import notify_bridge

@Suite("The log")
struct LogFormatTests {
  private let line = LogLine(
    time: Date(timeIntervalSince1970: 1_795_000_000.25), level: .info, label: "notify-bridge",
    message: "connected\u{1b}[31m",
    fields: [
      ("user", "42"), ("code", .stringConvertible(1_000)), ("reason", "a \"b\"\nc"), ("level", "x"),
      ("list", .array(["a"])),
    ])

  @Test("A JSON log line is one valid object with numbers as numbers")
  func json() throws {
    let text = LogFormat.json.line(line, colors: true)
    #expect(text.hasSuffix("}\n") && text.filter { $0 == "\n" }.count == 1)
    let object = try #require(try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    #expect(object["level"] as? String == "info")
    #expect(object["message"] as? String == "connected\u{1b}[31m")
    #expect(object["code"] as? Int == 1_000)
    #expect(object["reason"] as? String == "a \"b\"\nc")
    #expect(object["level_"] as? String == "x")
    #expect((object["time"] as? String)?.hasSuffix("+00:00") == true)
  }

  @Test("A text log line can't steer a terminal, and is coloured on request only")
  func text() {
    let plain = LogFormat.text.line(line, colors: false)
    #expect(plain.filter { $0 == "\n" }.count == 1)
    #expect(!plain.contains("\u{1b}"))
    #expect(plain.contains("user=42") && plain.contains("code=1000"))
    #expect(LogFormat.text.line(line, colors: true).contains("\u{1b}[32m"))
  }

  @Test("A new log level applies to all loggers at once")
  func level() {
    let output = LogOutput(format: .json, colors: false, level: .info, writer: LogWriter(descriptor: -1))
    let handler = BridgeLogHandler(label: "x", output: output)
    #expect(handler.logLevel == .info)
    output.level = .error
    #expect(handler.logLevel == .error)
  }

  @Test("A JSON text is printed in one line of the same value that can't steer a terminal")
  func jsonLine() throws {
    #expect(TerminalText.jsonLine(#"{"a":"é ✓ \"x\""}"#) == #"{"a":"é ✓ \"x\""}"#)
    let written = "{\n\t\"a\" :\r\n\"\u{7f}\u{9b}31m\u{2028}\u{202e}\\\"\u{85}\\\\\", \"b\": 1\n}"
    let line = TerminalText.jsonLine(written)
    #expect(line == #"{  "a" :  "\u007f\u009b31m\u2028\u202e\"\u0085\\", "b": 1 }"#)
    func value(_ text: String) throws -> NSDictionary? {
      try JSONSerialization.jsonObject(with: Data(text.utf8)) as? NSDictionary
    }
    #expect(try value(line) == value(written))
  }
}
