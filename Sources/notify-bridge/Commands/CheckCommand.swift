import ArgumentParser
import NotifyCore

/// `notify-bridge check`.
struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Verifies the setup, and prints the fix of each problem.",
    discussion: """
      It needs no running bridge and writes no row. Only a problem that prevents serving makes it fail.
      With --ready or --live it queries a running bridge instead, for a container's health check. A bridge that is not
      ready waits for its database by itself: only one that is not live needs a restart.

      Example:  notify-bridge check --config /etc/notify-bridge.yaml
                notify-bridge check --ready --url http://127.0.0.1:8080
      """)

  @Flag(help: "Query the readiness of a running bridge.")
  var ready = false

  @Flag(help: "Query whether a running bridge lives, and print why it is not ready.")
  var live = false

  @Option(help: "The address of that bridge. Without it, the one in the settings.")
  var url: String?

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    if ready && live { throw ValidationError("--ready and --live exclude each other.") }
    if url != nil && !ready && !live { throw ValidationError("--url goes with --ready and --live.") }
  }

  func run() async throws {
    if ready || live { return try await queryBridge() }
    let settings = try options.settings(needing: ServeCommand.secrets)
    let database = DatabaseChecks(settings: settings, url: try Database.url(settings))
    var report = CheckReport()
    database.run(&report)
    await LocalChecks.run(settings, &report)
    for finding in report.findings { FileOutput.printLine(finding.line) }
    if report.hasFailed { throw CommandFailure.reported }
  }

  private func queryBridge() async throws {
    let settings = try options.sourceOfBridge.settings(needing: [])
    let check = try ReadyCheck(address: .given(url, settings))
    if live {
      try await check.requireLife()
      FileOutput.printLine("live")
    }
    let failing = try await check.failing()
    for part in failing { FileOutput.printLine("not ready: \(part)") }
    if failing.isEmpty { FileOutput.printLine("ready") }
    if ready, !failing.isEmpty { throw CommandFailure.reported }
  }
}
