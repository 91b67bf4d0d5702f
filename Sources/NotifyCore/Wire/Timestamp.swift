/// Writes instants as the wire and PostgreSQL's ISO style with a `T` have them.
package enum Timestamp {
  /// The text of an instant: `2026-11-23T08:00:00.123456+00:00`.
  ///
  /// Years beyond 9999 have as many digits as they need, those before year 0 a sign.
  ///
  /// - Parameter microseconds: since 1970-01-01 UTC; `Int64.min` and `.max` are PostgreSQL's -infinity and infinity.
  package static func text(microseconds: Int64) -> String {
    if microseconds == .max { return "infinity" }
    if microseconds == .min { return "-infinity" }
    let perDay: Int64 = 86_400_000_000
    let (quotient, remainder) = microseconds.quotientAndRemainder(dividingBy: perDay)
    let day = remainder < 0 ? quotient - 1 : quotient
    let rest = remainder < 0 ? remainder + perDay : remainder
    let (year, month, dayOfMonth) = civil(day)
    let seconds = rest / 1_000_000
    var text: [UInt8] = []
    text.reserveCapacity(32)
    text.appendDecimal(year, digits: 4)
    let parts: [(mark: Unicode.Scalar, number: Int64)] = [
      ("-", month), ("-", dayOfMonth), ("T", seconds / 3600), (":", seconds / 60 % 60), (":", seconds % 60),
    ]
    for part in parts {
      text.append(UInt8(ascii: part.mark))
      text.appendDecimal(part.number, digits: 2)
    }
    text.append(UInt8(ascii: "."))
    text.appendDecimal(rest % 1_000_000, digits: 6)
    text += "+00:00".utf8
    return String(decoding: text, as: UTF8.self)
  }

  /// The proleptic Gregorian date of a day counted from 1970-01-01.
  ///
  /// Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`.
  private static func civil(_ days: Int64) -> (year: Int64, month: Int64, day: Int64) {
    let shifted = days + 719_468
    let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
    let dayOfEra = shifted - era * 146_097
    let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
    let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
    let shiftedMonth = (5 * dayOfYear + 2) / 153
    let month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
    let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    return (year, month, dayOfYear - (153 * shiftedMonth + 2) / 5 + 1)
  }
}
