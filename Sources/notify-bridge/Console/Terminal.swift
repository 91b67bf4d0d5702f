import Foundation

/// Somebody at a terminal who can be asked.
enum Terminal {
  /// Whether there is one.
  static var isInteractive: Bool { isatty(STDIN_FILENO) != 0 }

  /// Asks a question that is answered with yes or no.
  ///
  /// - Returns: whether the answer was yes; no answer is no.
  static func agrees(to question: String) -> Bool {
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
