import ArgumentParser
import NotifyCore

/// `notify-bridge check`.
struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Verifies the setup, and prints the fix of each problem.",
    discussion: """
      It needs no running bridge and writes no row. Only a problem that prevents serving makes it fail.
      With --ready it queries a running bridge instead, for a container's health check.

      Example:  notify-bridge check --config /etc/notify-bridge.yaml
                notify-bridge check --ready --url http://127.0.0.1:8080
      """)

  @Flag(help: "Query the readiness of a running bridge.")
  var ready = false

  @Option(help: "The address of that bridge. Without it, the one in the settings.")
  var url: String?

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    if url != nil && !ready { throw ValidationError("--url goes with --ready.") }
  }

  func run() async throws {
    if ready { return try await queryBridge() }
    let settings = try options.settings(needing: ServeCommand.secrets)
    let database = DatabaseChecks(settings: settings, url: try Database.url(settings))
    var report = CheckReport()
    database.run(&report)
    await LocalChecks.run(settings, &report)
    for finding in report.findings { FileOutput.printLine(finding.line) }
    if report.hasFailed { throw CommandFailure.reported }
  }

  private func queryBridge() async throws {
    let settings = try options.settings(needing: [])
    let failing = try await ReadyCheck(address: .given(url, settings)).failing()
    guard !failing.isEmpty else { return FileOutput.printLine("ready") }
    for part in failing { FileOutput.printLine("not ready: \(part)") }
    throw CommandFailure.reported
  }
}
