import ArgumentParser
import Foundation

/// Where the program starts: runs a command and turns what it throws into an exit status and a few lines.
@main
enum Program {
  static func main() async {
    // A reader that goes away is an error of that one write, not the end of the program.
    signal(SIGPIPE, SIG_IGN)
    exit(await run(Array(CommandLine.arguments.dropFirst())))
  }

  /// Runs the command that the arguments name.
  ///
  /// - Returns: the exit status.
  static func run(_ arguments: [String]) async -> Int32 {
    do {
      var command = try NotifyBridge.parseAsRoot(arguments)
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
      return 0
    } catch {
      return Failure(error).report()
    }
  }
}
