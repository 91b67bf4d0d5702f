/// The console's side of the database. It is apart from the connections that deliver, and slower than they are.
package protocol ConsoleDatabase: Sendable {
  /// Answers a question, one after the other. Never throws: a failure is an answer.
  func ask(_ question: ConsoleQuestion) async -> ConsoleAnswer
}

/// What the console wants to know, or have done. Its texts hold no NUL.
package enum ConsoleQuestion: Sendable, Equatable {
  /// Backlog, replicas and quarantine, each of its own: a figure that fails leaves the others.
  case overview
  /// The newest rows of a user.
  case rows(user: UserID)
  /// The history of a row.
  case timeline(source: String, id: String)
  /// Deliver a row again.
  case resend(source: String, id: String)
  /// Close the sockets of a user at all bridges.
  case disconnect(user: UserID)
  /// Insert a row for a user; without a source into the only table or the bridge's own.
  case test(user: UserID, source: String?)
  /// Try a row that is set aside again, or all of its table.
  case retry(source: String, id: String?)
}

/// The database's answer to the console.
package enum ConsoleAnswer: Sendable, Equatable {
  /// A JSON text.
  case json(String)
  /// The server refused a statement because of its arguments; the text is for the person who asked.
  case refused(String)
  /// The database is away, slow or busy; the text has no secret.
  case unavailable(String)
}
