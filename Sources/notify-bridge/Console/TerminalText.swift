/// Makes foreign texts safe for one line of a terminal or a log.
enum TerminalText {
  /// The text without control characters, cut to a number of characters.
  static func shortened(_ text: String, to length: Int) -> String {
    let clean = escaped(text)
    return clean.count <= length ? clean : clean.prefix(length - 1) + "…"
  }

  /// The text with its control characters written as escapes, so that it can neither end the line nor steer a terminal.
  static func escaped(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var line = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\n": line += "\\n"
      case "\r": line += "\\r"
      case "\t": line += "\\t"
      case _ where isControl(scalar): line += "\\u{\(String(scalar.value, radix: 16))}"
      default: line.unicodeScalars.append(scalar)
      }
    }
    return line
  }

  /// A JSON text of the same value, in one line and without control characters: a payload of type json is sent as it was
  /// written.
  static func jsonLine(_ text: String) -> String {
    guard text.unicodeScalars.contains(where: isControl) else { return text }
    var line = ""
    var isInString = false
    var isEscaped = false
    for scalar in text.unicodeScalars {
      if isControl(scalar) {
        let digits = String(scalar.value, radix: 16)
        line += isInString ? "\\u" + String(repeating: "0", count: 4 - digits.count) + digits : " "
        isEscaped = false
        continue
      }
      line.unicodeScalars.append(scalar)
      if isEscaped {
        isEscaped = false
      } else if scalar == "\"" {
        isInString.toggle()
      } else {
        isEscaped = isInString && scalar == "\\"
      }
    }
    return line
  }

  private static func isControl(_ scalar: Unicode.Scalar) -> Bool {
    scalar.value < 0x20 || (0x7f...0x9f).contains(scalar.value) || (0x2028...0x2029).contains(scalar.value)
      || (0x202a...0x202e).contains(scalar.value) || (0x2066...0x2069).contains(scalar.value)
  }
}
