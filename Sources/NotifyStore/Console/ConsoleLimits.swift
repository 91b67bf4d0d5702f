/// Bounds of the console's questions.
enum ConsoleLimits {
  /// Questions that may wait; beyond, 503.
  static let questions = 16
  /// How long a question may wait, and a statement may take; beyond, 503, and the statement is cancelled in the server.
  static let statement: Duration = .seconds(3)
  /// How long the connection is kept without a question.
  static let idle: Duration = .seconds(60)
  /// Rows of a user, and entries of the quarantine, that are shown.
  static let rows = 50
  /// The shortest time between two reads of a figure.
  static let freshness: Duration = .seconds(4)
  /// A figure is read again after this many times what reading it took.
  static let rest = 20
}
