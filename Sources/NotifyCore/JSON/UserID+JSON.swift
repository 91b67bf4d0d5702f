extension UserID {
  /// The user that a JSON value names: a whole number, or a string without control characters. A number and a string that
  /// read the same are the same user.
  ///
  /// PostgreSQL's text holds no NUL, and the other control characters are no part of an id either.
  package init?(_ value: JSONValue) {
    if let number = value.integer {
      self.init(number)
    } else if let text = value.string, !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) {
      self.init(text)
    } else {
      return nil
    }
  }
}
