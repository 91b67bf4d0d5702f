import Foundation

/// The terminal at standard input and output.
enum Terminal {
  /// Whether standard input is a terminal.
  static var isInteractive: Bool { isatty(STDIN_FILENO) != 0 }

  /// Whether standard output is a terminal.
  static var isShown: Bool { isatty(STDOUT_FILENO) != 0 }

  /// Asks a yes-or-no question.
  ///
  /// - Returns: whether the answer was yes; no answer is no.
  static func confirms(_ question: String) -> Bool {
    FileOutput.write(Array("\(question) [y/N] ".utf8), to: STDOUT_FILENO)
    let answer = readLine(strippingNewline: true)?.trimmingCharacters(in: .whitespaces).lowercased()
    if answer == nil { FileOutput.printLine("") }
    return answer == "y" || answer == "yes"
  }

  /// A word as a shell needs it.
  static func quoted(_ word: String) -> String {
    let plain = word.unicodeScalars.allSatisfy {
      $0.isASCII && ($0.properties.isAlphabetic || ("0"..."9").contains($0) || "_-./:=,@%+".unicodeScalars.contains($0))
    }
    if plain, !word.isEmpty { return word }
    if word.contains("'"), !word.contains(where: { "\"$`\\!".contains($0) }) { return "\"\(word)\"" }
    return "'" + word.replacing("'", with: "'\\''") + "'"
  }
}
