import ArgumentParser
import NotifyCore

/// `notify-bridge check`.
struct CheckCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check",
    abstract: "Looks at everything that serving needs, and says what to do about it.",
    discussion: """
      It needs no running bridge and writes no row. It fails only where something prevents serving.
      With --ready it asks a running bridge instead, as a container's health check does.

      Example:  notify-bridge check --config /etc/notify-bridge.yaml
                notify-bridge check --ready --url http://127.0.0.1:8080
      """)

  @Flag(help: "Ask a running bridge whether it is ready.")
  var ready = false

  @Option(help: "Where that bridge is; without it, where the settings say.")
  var url: String?

  @OptionGroup(title: "Settings", visibility: .hidden)
  var options: ConfigurationOptions

  func validate() throws {
    if url != nil && !ready { throw ValidationError("--url goes with --ready.") }
  }

  func run() async throws {
    if ready { return try await askBridge() }
    let settings = try options.settings(needing: ServeCommand.secrets)
    let database = DatabaseChecks(settings: settings, url: try Database.url(settings))
    var report = CheckReport()
    database.run(&report)
    await LocalChecks.run(settings, &report)
    for finding in report.findings { FileOutput.printLine(finding.line) }
    if report.hasFailed { throw Failure.reported }
  }

  private func askBridge() async throws {
    let settings = try options.settings(needing: [])
    let failing = try await ReadyCheck(address: .given(url, settings)).failing()
    guard !failing.isEmpty else { return FileOutput.printLine("ready") }
    for part in failing { FileOutput.printLine("not ready: \(part)") }
    throw Failure.reported
  }
}
