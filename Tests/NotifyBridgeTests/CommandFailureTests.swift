import ArgumentParser
import NotifyStore
import Testing

@testable import notify_bridge

@Suite("A failure")
struct CommandFailureTests {
  @Test("A failure is at most eight lines")
  func lines() {
    let many = (1...20).map(String.init).joined(separator: "\n")
    #expect(CommandFailure(many, remedy: many).text.split(separator: "\n").count == 8)
  }

  @Test("A failure begins with the problem and ends with the fix")
  func text() {
    #expect(CommandFailure("it broke", remedy: "Fix it.").text == "error: it broke\nFix it.")
  }

  @Test("A failure's exit status is 78 for the configuration, 64 for the usage and 1 for the rest")
  func statuses() {
    #expect(CommandFailure(ConfigurationError("x")).status == .configuration)
    #expect(CommandFailure(StoreError(.server, message: "x")).status == .failed)
    #expect(CommandFailure(CancellationError()).status == .failed)
    #expect(throws: (any Error).self) { try NotifyBridge.parseAsRoot(["serve", "--nonsense"]) }
    do {
      _ = try NotifyBridge.parseAsRoot(["serve", "--nonsense"])
    } catch {
      #expect(Program.failure(error).status == .usage)
      #expect(Program.failure(error).text.contains("--help"))
    }
  }

  @Test("A failed login to the database names the things to check")
  func remedies() {
    let error = StoreError(.notConnected, sqlstate: "28P01", message: "password authentication failed")
    #expect(CommandFailure(error).remedy.contains("password"))
  }

  @Test("An unknown command is a usage error")
  func unknownCommand() async {
    #expect(await Program.run(["nonsense"]) == 64)
  }
}

@Suite("A duration")
struct DurationTextTests {
  @Test(
    "A duration is read in seconds, minutes, hours and days",
    arguments: [("90", 90), ("60s", 60), ("5m", 300), ("1h", 3_600), ("7d", 604_800), ("0", 0)])
  func good(text: String, seconds: Int) { #expect(DurationText(argument: text)?.seconds == seconds) }

  @Test(
    "A text that is no duration is refused", arguments: ["", "s", "-1", "1.5h", "1w", "1 h", "99999999999999999999"])
  func bad(text: String) { #expect(DurationText(argument: text) == nil) }
}
