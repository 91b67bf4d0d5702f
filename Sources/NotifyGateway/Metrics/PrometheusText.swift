/// The spelling of names, labels and numbers in Prometheus' text format.
enum PrometheusText {
  /// A valid name: other characters become `_`.
  static func name(_ label: String) -> String {
    let name = String(
      label.unicodeScalars.map { scalar -> Character in
        let isAllowed =
          scalar.isASCII && (scalar.properties.isAlphabetic || "0123456789_:".unicodeScalars.contains(scalar))
        return isAllowed ? Character(scalar) : "_"
      })
    return name.first?.isNumber ?? true ? "_" + name : name
  }

  /// `name="value",…`, values escaped.
  static func labels(_ dimensions: [(String, String)]) -> String {
    dimensions.map { key, value in
      let escaped = value.replacing("\\", with: "\\\\").replacing("\"", with: "\\\"").replacing("\n", with: "\\n")
      return "\(name(key))=\"\(escaped)\""
    }.joined(separator: ",")
  }

  /// A number without a needless fraction.
  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value > 0 ? "+Inf" : "-Inf" }
    return Int64(exactly: value).map(String.init) ?? "\(value)"
  }
}
