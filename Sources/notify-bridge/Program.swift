import ArgumentParser
import Foundation

/// Where the program starts: runs a command and turns its error into an exit status and a few lines.
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
      try requireKnownCommand(arguments)
      var command = try NotifyBridge.parseAsRoot(arguments)
      if var asynchronous = command as? any AsyncParsableCommand {
        try await asynchronous.run()
      } else {
        try command.run()
      }
      return 0
    } catch {
      return failure(error).report()
    }
  }

  /// Explains an error of a command or of the parser; its requests for help and version are no errors.
  static func failure(_ error: any Error) -> CommandFailure {
    switch NotifyBridge.exitCode(for: error) {
    case .success: CommandFailure(NotifyBridge.fullMessage(for: error), status: .done)
    case .validationFailure:
      CommandFailure(NotifyBridge.message(for: error), remedy: help(for: error), status: .usage)
    default: CommandFailure(error)
    }
  }

  /// A first word that is no command is a mistake in it rather than a stray argument.
  private static func requireKnownCommand(_ arguments: [String]) throws(CommandFailure) {
    let commands = NotifyBridge.configuration.subcommands.map { $0.configuration }
    guard let word = arguments.first, !word.hasPrefix("-"), word != "help",
      !commands.contains(where: { $0.commandName == word })
    else { return }
    let known = commands.filter { $0.shouldDisplay }.compactMap { $0.commandName }
    let nearest = NearestName.nearest(to: word, among: known).map { "Did you mean: notify-bridge \($0)\n" } ?? ""
    throw CommandFailure(
      "there is no command \"\(TerminalText.shortened(word, to: 40))\"",
      remedy: nearest + "The commands are: \(known.joined(separator: ", "))", status: .usage)
  }

  /// The line that points to the help, out of the parser's longer text.
  private static func help(for error: any Error) -> String {
    let lines = NotifyBridge.fullMessage(for: error).split(separator: "\n")
    return lines.last { $0.contains("--help") }.map { $0.trimmingSpaces() } ?? "See 'notify-bridge --help'."
  }
}
