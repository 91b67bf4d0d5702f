/// A number of bytes for a person.
enum ByteText {
  private static let units = ["kB", "MB", "GB", "TB"]

  /// In the largest unit of which there is at least one, with one digit after the point; units are powers of 1000.
  static func text(_ bytes: Int64) -> String {
    var value = Double(bytes)
    guard value >= 1_000 else { return bytes == 1 ? "1 byte" : "\(bytes) bytes" }
    var unit = -1
    // What would be written as 1000.0 is one of the next unit.
    while value >= 999.95, unit < units.count - 1 {
      value /= 1_000
      unit += 1
    }
    let tenths = Int((value * 10).rounded())
    return "\(tenths / 10).\(tenths % 10) \(units[unit])"
  }
}
