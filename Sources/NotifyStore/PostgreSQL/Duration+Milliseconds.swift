extension Duration {
  /// Whole milliseconds for the C module: rounded up, at least 0, at most a day.
  var milliseconds: Int32 {
    let (seconds, attoseconds) = components
    let milliseconds = seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    return Int32(clamping: min(max(milliseconds, 0), 86_400_000))
  }
}
