/// How people write the values of a type of settings.
struct SettingForm: Sendable, Equatable {
  /// The type's name in the reference, its unit and range included: `whole number of seconds, 1 to 300`.
  let name: String
  /// The allowed values, as the end of a sentence.
  let allowed: String
  /// The placeholder of a value in `--help`.
  let placeholder: String
  /// The lowest and the highest value of a number.
  var range: ClosedRange<Int>?
  /// The unit of a number.
  var unit: String?
  /// The words of a choice.
  var words: [String] = []
  /// Whether a value must never be shown.
  var isSecret = false
}
