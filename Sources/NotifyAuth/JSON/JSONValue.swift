/// A JSON value of a token or a key set.
///
/// Foundation's decoders take the last of two equal keys and make no difference between `42` and `42.0`; a verifier
/// must not guess, so this one keeps numbers apart and refuses equal keys.
enum JSONValue: Equatable {
  case null
  case bool(Bool)
  /// A number written without fraction and exponent that fits; `-0` isn't one.
  case integer(Int64)
  /// Any other finite number.
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([String: JSONValue])

  /// The text of a string, else nil.
  var string: String? {
    if case .string(let text) = self { text } else { nil }
  }

  /// The elements of an array, else nil.
  var array: [JSONValue]? {
    if case .array(let values) = self { values } else { nil }
  }

  /// The members of an object, else nil.
  var object: [String: JSONValue]? {
    if case .object(let members) = self { members } else { nil }
  }

  /// The value of a number, else nil.
  var double: Double? {
    switch self {
    case .integer(let number): Double(number)
    case .number(let number): number
    default: nil
    }
  }
}
