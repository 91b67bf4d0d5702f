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

  /// A first word that is no command is a mistake in it rather than a stray argument.
  private static func requireKnownCommand(_ arguments: [String]) throws(Failure) {
    guard let word = arguments.first, !word.hasPrefix("-") else { return }
    let known = NotifyBridge.configuration.subcommands.compactMap { $0.configuration.commandName }
    guard word != "help", !known.contains(word) else { return }
    let nearest = NearestName.nearest(to: word, among: known).map { "Did you mean: notify-bridge \($0)\n" } ?? ""
    throw Failure(
      "there is no command \"\(TerminalText.shortened(word, to: 40))\"",
      remedy: nearest + "The commands are: \(known.joined(separator: ", "))", status: .usage)
  }

  /// Runs the command that the arguments name.
  ///
  /// - Returns: the exit status.
  static func run(_ arguments: [String]) async -> Int32 {
    do {
      try requireKnownCommand(arguments)
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
