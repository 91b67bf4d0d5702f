import ArgumentParser
import NotifyStore
import Testing

@testable import notify_bridge

@Suite("A failure")
struct FailureTests {
  @Test("is at most eight lines")
  func lines() {
    let many = (1...20).map(String.init).joined(separator: "\n")
    #expect(Failure(many, remedy: many).text.split(separator: "\n").count == 8)
  }

  @Test("begins with what is wrong and ends with what to do")
  func text() {
    #expect(Failure("it broke", remedy: "Mend it.").text == "error: it broke\nMend it.")
  }

  @Test("of the configuration is 78, of the usage 64, of the rest 1")
  func statuses() {
    #expect(Failure(ConfigurationError("x")).status == .configuration)
    #expect(Failure(StoreError(.server, message: "x")).status == .failed)
    #expect(Failure(CancellationError()).status == .failed)
    #expect(throws: (any Error).self) { try NotifyBridge.parseAsRoot(["serve", "--nonsense"]) }
    do {
      _ = try NotifyBridge.parseAsRoot(["serve", "--nonsense"])
    } catch {
      #expect(Program.failure(error).status == .usage)
      #expect(Program.failure(error).text.contains("--help"))
    }
  }

  @Test("of a login to the database says what to check")
  func remedies() {
    let error = StoreError(.notConnected, sqlstate: "28P01", message: "password authentication failed")
    #expect(Failure(error).remedy.contains("password"))
  }

  @Test("of a word that is no command names the nearest one")
  func unknownCommand() async {
    #expect(await Program.run(["nonsense"]) == 64)
  }
}

@Suite("A duration")
struct DurationTextTests {
  @Test(
    "is read as people write it",
    arguments: [("90", 90), ("60s", 60), ("5m", 300), ("1h", 3_600), ("7d", 604_800), ("0", 0)])
  func good(text: String, seconds: Int) { #expect(DurationText(argument: text)?.seconds == seconds) }

  @Test(
    "is refused where it is something else", arguments: ["", "s", "-1", "1.5h", "1w", "1 h", "99999999999999999999"])
  func bad(text: String) { #expect(DurationText(argument: text) == nil) }
}
