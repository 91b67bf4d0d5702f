internal import Logging
package import NotifyCore

/// Looks credentials up: all pending questions by one statement.
package actor LookupReader: DatabaseService, CredentialLookup {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  package nonisolated let thread = DedicatedThread(name: "nb-auth")
  package nonisolated let signal: StopSignal

  private struct PendingLookup: Sendable {
    let question: CredentialQuestion
    let answer: CheckedContinuation<CredentialAnswer, Never>
  }

  private nonisolated let inbox = Inbox<PendingLookup>()
  private let database: RetryingConnection
  private let userTable: String?
  private let logger: Logger
  private var pending: [PendingLookup] = []
  private var lastRefusal: String?
  /// Whether a table of users was attached at the last look.
  private var hasUsers = false

  /// - Parameter userTable: the table of users, where the operator named it.
  package init(_ store: Store, userTable: String? = nil) throws {
    database = try RetryingConnection(.auth, of: store)
    signal = database.signal
    self.userTable = userTable
    logger = store.logger
  }

  package nonisolated func lookUp(_ question: CredentialQuestion) async -> CredentialAnswer {
    await withCheckedContinuation { continuation in
      switch inbox.append(PendingLookup(question: question, answer: continuation)) {
      case 0?: signal.wake()
      case nil: continuation.resume(returning: .unavailable("the bridge is stopping"))
      default: break
      }
    }
  }

  /// Answers questions until it is stopped; questions pending then are answered as unavailable.
  package func work() async {
    while !signal.isStopped {
      takeInbox()
      do {
        // Also without questions, so that the first one finds a connection.
        _ = try await database.connectWhenCurrent()
        takeInbox()
        while !pending.isEmpty { try answerOldest() }
        database.succeeded()
        _ = try database.connection.wait(Limits.safetyInterval)
      } catch {
        pause(error)
      }
    }
    inbox.close()
    takeInbox()
    giveUp("the bridge is stopping")
    database.connection.close()
  }

  private func takeInbox() { pending += inbox.takeAll() }

  /// The database is away: questions are answered as unavailable at once, since only the gateway knows how long to try.
  private func pause(_ error: StoreError) {
    giveUp(error.description)
    let end = ContinuousClock.now + database.closeAfter(error)
    while !signal.isStopped, .now < end {
      _ = try? database.connection.wait(end - .now)
      takeInbox()
      giveUp(error.description)
    }
  }

  private func giveUp(_ why: String) {
    for one in pending { one.answer.resume(returning: .unavailable(why)) }
    pending = []
  }

  // MARK: Statements

  /// Answers the oldest questions.
  private func answerOldest() throws(StoreError) {
    let batch = Array(pending.prefix(Limits.lookups))
    let answers: [CredentialAnswer]
    do {
      answers = try ask(batch.map(\.question))
      lastRefusal = nil
    } catch  where error.code == .server && database.connection.isConnected {
      // A fault of one kind's table must not fail the questions of other kinds.
      answers = try askByKind(batch.map(\.question))
    }
    pending.removeFirst(batch.count)
    for (one, answer) in zip(batch, answers) { one.answer.resume(returning: answer) }
  }

  private func askByKind(_ questions: [CredentialQuestion]) throws(StoreError) -> [CredentialAnswer] {
    var answers = Array(repeating: CredentialAnswer.unknown, count: questions.count)
    for (_, places) in Dictionary(grouping: questions.indices, by: { questions[$0].kind }) {
      do {
        for (place, answer) in zip(places, try ask(places.map { questions[$0] })) { answers[place] = answer }
      } catch  where error.concernsEncoding && database.connection.isConnected && places.count > 1 {
        for place in places { answers[place] = try askByKind([questions[place]])[0] }
      } catch  where error.concernsEncoding && database.connection.isConnected {
        // What the database can't hold is in none of its tables.
      } catch  where error.code == .server && database.connection.isConnected {
        let reason = error.loggable.description
        for place in places { answers[place] = .unavailable(reason) }
        if lastRefusal != reason {
          lastRefusal = reason
          logger.error(
            "credentials can't be looked up: \(reason)", metadata: ["hint": "Run: notify-bridge check"])
        }
      }
    }
    return answers
  }

  /// Questions of activity alone take a short way to the usual answer: no logins are attached.
  private func ask(_ questions: [CredentialQuestion]) throws(StoreError) -> [CredentialAnswer] {
    if !hasUsers, questions.allSatisfy(\.isAboutActivity) {
      let row = try database.connection.query(
        """
        SELECT pg_current_snapshot()::text, EXISTS (SELECT FROM notify_bridge.login AS l WHERE l.kind = 'user')
        """, timeout: Limits.statementTimeout)[0]
      guard let seen = row[0].flatMap({ Snapshot($0) }) else {
        throw StoreError(.badAnswer, message: "the server's snapshot can't be read")
      }
      hasUsers = row[1] == "t"
      if !hasUsers {
        return questions.map { question in
          .found(
            CredentialRecord(
              user: UserID(question.value), secret: nil, isActive: true, isExpired: false, expires: nil, seen: seen))
        }
      }
    }
    return try lookUp(questions)
  }

  /// The outer snapshot is taken before the function reads, so it claims no more than the answers hold.
  private func lookUp(_ questions: [CredentialQuestion]) throws(StoreError) -> [CredentialAnswer] {
    let requests = questions.enumerated().map { place, question in
      #"{"place":\#(place),"kind":"\#(question.kind)","value":\#(JSONText.string(question.value))}"#
    }
    let rows = try database.connection.query(
      """
      SELECT pg_current_snapshot()::text, l.place, l.user_id, l.secret, l.is_active, l.is_expired, l.expires
      FROM (VALUES (1)) AS one LEFT JOIN notify_bridge.lookup_credentials($1::jsonb, $2) AS l ON true
      """, ["[\(requests.joined(separator: ","))]", userTable], timeout: Limits.statementTimeout)
    var answers = Array(repeating: CredentialAnswer.unknown, count: questions.count)
    for row in rows {
      guard let seen = row[0].flatMap({ Snapshot($0) }) else {
        throw StoreError(.badAnswer, message: "the server's snapshot can't be read")
      }
      guard let place = row[1].flatMap({ Int($0) }), answers.indices.contains(place) else { continue }
      answers[place] = .found(
        CredentialRecord(
          user: row[2].flatMap { UserID($0) }, secret: row[3].map { Secret($0) }, isActive: row[4] == "t",
          isExpired: row[5] == "t", expires: row[6].flatMap { Double($0) }, seen: seen))
    }
    return answers
  }
}
