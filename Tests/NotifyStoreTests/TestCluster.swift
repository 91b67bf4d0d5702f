import Foundation
import NotifyCore

@testable import NotifyStore

/// A private PostgreSQL for one suite, made by the script that all tests share and removed at the end.
final class TestCluster: Sendable {
  enum Failure: Error { case notStarted(String) }

  let url: Secret
  private let script: Process
  private let input: Pipe

  /// - Parameter settings: lines for postgresql.conf.
  init(settings: String = "") throws {
    let support = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "Support/private_cluster.sh")
    script = Process()
    input = Pipe()
    let output = Pipe()
    script.executableURL = URL(filePath: "/bin/bash")
    // The cluster lives until our end of the pipe is closed, however this process ends.
    script.arguments = [
      "-c",
      ". '\(support.path)'; trap private_cluster_remove EXIT; private_cluster_start >&2 && echo \"$PRIVATE_CLUSTER_URL\"; read -r _",
    ]
    script.environment = ProcessInfo.processInfo.environment.merging(
      ["PRIVATE_CLUSTER_SETTINGS": settings]) { $1 }
    script.standardInput = input
    script.standardOutput = output
    script.standardError = FileHandle.nullDevice
    try script.run()
    let line = String(decoding: output.fileHandleForReading.availableData, as: UTF8.self)
    let text = line.trimmingCharacters(in: .whitespacesAndNewlines)
    guard text.hasPrefix("postgresql://") else { throw Failure.notStarted(text) }
    url = Secret(text)
  }

  deinit {
    try? input.fileHandleForWriting.close()
    script.waitUntilExit()
  }

  func connect() throws -> PGConnection {
    try PGConnection.connect(url: url, applicationName: "test", timeout: .seconds(10))
  }

  /// A new database, migrated.
  func database(_ name: String) throws -> Secret {
    try connect().query("CREATE DATABASE \(name)")
    let url = Secret(self.url.exposed.replacing(/\/postgres$/, with: "/\(name)"))
    let connection = try PGConnection.connect(url: url, applicationName: "test", timeout: .seconds(10))
    _ = try Migrator(connection).apply()
    return url
  }
}
