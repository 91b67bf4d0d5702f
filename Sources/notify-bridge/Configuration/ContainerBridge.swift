import Foundation

/// The bridge that a container runs: commands beside it, its health check among them, know its flags by this.
enum ContainerBridge {
  /// The arguments of `serve` in the command line of the first process; nil where that is no bridge.
  static var serveArguments: [String]? {
    guard let file = FileHandle(forReadingAtPath: "/proc/1/cmdline") else { return nil }
    defer { try? file.close() }
    return (try? file.readToEnd()).flatMap { serveArguments(commandLine: Array($0)) }
  }

  /// The arguments of `serve` in a command line, in which each word ends with a zero.
  ///
  /// An init process that starts the bridge (`docker run --init`) has the bridge's words after its own.
  static func serveArguments(commandLine: [UInt8]) -> [String]? {
    let words = commandLine.split(separator: 0, omittingEmptySubsequences: false).dropLast()
      .map { String(decoding: $0, as: UTF8.self) }
    let serve = words.indices.dropFirst().first { index in
      words[index] == "serve" && words[index - 1].split(separator: "/").last == "notify-bridge"
    }
    return serve.map { Array(words[($0 + 1)...]) }
  }
}
