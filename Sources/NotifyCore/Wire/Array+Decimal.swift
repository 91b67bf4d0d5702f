extension [UInt8] {
  /// Appends a number in decimal digits.
  ///
  /// - Parameter minimum: the least number of digits; zeros fill up what is missing.
  mutating func appendDecimal(_ number: Int64, digits minimum: Int = 1) {
    if number < 0 { append(UInt8(ascii: "-")) }
    // Last digit first: division by a constant is cheap.
    withUnsafeTemporaryAllocation(of: UInt8.self, capacity: 20) { digits in
      var rest = number.magnitude
      var start = digits.endIndex
      while rest > 0 || digits.endIndex - start < minimum {
        start -= 1
        digits.initializeElement(at: start, to: UInt8(ascii: "0") + UInt8(rest % 10))
        rest /= 10
      }
      append(contentsOf: UnsafeBufferPointer(rebasing: digits[start...]))
    }
  }
}
