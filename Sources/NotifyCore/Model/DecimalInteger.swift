/// The one decimal spelling of each 64-bit integer: PostgreSQL's, and JSON's without fraction and exponent.
enum DecimalInteger {
  /// The number that is spelled so; nil for every other text (`07`, `+7`, `-0`, `7.0`) and beyond 64 bits.
  static func read(_ text: UnsafeRawBufferPointer) -> Int64? {
    let isNegative = text.first == UInt8(ascii: "-")
    let digits = text.dropFirst(isNegative ? 1 : 0)
    guard let first = digits.first, first != UInt8(ascii: "0") || text.count == 1 else { return nil }
    var number: Int64 = 0
    for byte in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else { return nil }
      let (product, isTooLarge) = number.multipliedReportingOverflow(by: 10)
      let digit = Int64(byte - UInt8(ascii: "0"))
      let (sum, isCarried) =
        isNegative ? product.subtractingReportingOverflow(digit) : product.addingReportingOverflow(digit)
      if isTooLarge || isCarried { return nil }
      number = sum
    }
    return number
  }
}
