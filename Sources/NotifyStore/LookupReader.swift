internal import Logging
package import NotifyCore
internal import ServiceLifecycle
internal import Synchronization

/// Asks the database about credentials: all questions that wait by one statement.
package actor LookupReader: Service, CredentialLookup {
  package nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  private nonisolated let thread = DedicatedThread(name: "nb-auth")

  private struct Asked: Sendable {
    let question: CredentialQuestion
    let answer: CheckedContinuation<CredentialAnswer, Never>
  }

  private struct Inbox {
    var asked: [Asked] = []
    /// Nobody answers any more.
    var isOver = false
  }

  private let context: StoreContext
  private let worker: RetryingConnection
  private nonisolated let signal: RetryingConnection.Signal
  private nonisolated let inbox = Mutex(Inbox())
  private let userTable: String?
  private var waiting: [Asked] = []
  private var lastRefusal: String?
  /// A table of users was attached when that was asked last.
  private var hasUsers = false

  /// - Parameter userTable: the table of users, where the operator named it.
  package init(_ context: StoreContext, userTable: String? = nil) throws {
    self.context = context
    self.userTable = userTable
    worker = try RetryingConnection("auth", context)
    signal = worker.signal
  }

  package nonisolated func lookUp(_ question: CredentialQuestion) async -> CredentialAnswer {
    await withCheckedContinuation { continuation in
      let before = inbox.withLock { inbox -> Int? in
        guard !inbox.isOver else { return nil }
        inbox.asked.append(Asked(question: question, answer: continuation))
        return inbox.asked.count - 1
      }
      if before == 0 { signal.wake() }
      if before == nil { continuation.resume(returning: .unavailable("the bridge is stopping")) }
    }
  }

  /// Runs until graceful shutdown; who waits then is told that there is no answer.
  package func run() async throws {
    await withTaskCancellationOrGracefulShutdownHandler {
      await loop()
    } onCancelOrGracefulShutdown: { [signal] in
      signal.stop()
    }
  }

  private func loop() async {
    while !signal.isStopped {
      takeInbox()
      do {
        // Also without questions, so that the first one finds a connection.
        _ = try await worker.connectConfirmed()
        takeInbox()
        while !waiting.isEmpty { try answer() }
        worker.succeeded()
        _ = try worker.connection.wait(Limits.safetyInterval)
      } catch {
        pause(error)
      }
    }
    inbox.withLock { $0.isOver = true }
    takeInbox()
    giveUp("the bridge is stopping")
    worker.connection.close()
  }

  private func takeInbox() {
    waiting += inbox.withLock { inbox in
      defer { inbox.asked = [] }
      return inbox.asked
    }
  }

  /// The database is away: who asks meanwhile is told so at once, since only the gateway knows how long to try.
  private func pause(_ error: StoreError) {
    giveUp(error.description)
    let end = ContinuousClock.now + worker.fail(error)
    while !signal.isStopped, .now < end {
      _ = try? worker.connection.wait(end - .now)
      takeInbox()
      giveUp(error.description)
    }
  }

  private func giveUp(_ why: String) {
    for asked in waiting { asked.answer.resume(returning: .unavailable(why)) }
    waiting = []
  }

  // MARK: Asking

  /// Answers the oldest questions.
  private func answer() throws(StoreError) {
    let batch = Array(waiting.prefix(Limits.lookups))
    let answers: [CredentialAnswer]
    do {
      answers = try ask(batch.map(\.question))
      lastRefusal = nil
    } catch  where error.code == .server && worker.connection.isConnected {
      // Those of one kind must not suffer from what is wrong with the table of another.
      answers = try askByKind(batch.map(\.question))
    }
    waiting.removeFirst(batch.count)
    for (asked, answer) in zip(batch, answers) { asked.answer.resume(returning: answer) }
  }

  private func askByKind(_ questions: [CredentialQuestion]) throws(StoreError) -> [CredentialAnswer] {
    var answers = Array(repeating: CredentialAnswer.unknown, count: questions.count)
    for (_, places) in Dictionary(grouping: questions.indices, by: { questions[$0].kind }) {
      do {
        for (place, answer) in zip(places, try ask(places.map { questions[$0] })) { answers[place] = answer }
      } catch  where error.code == .server && worker.connection.isConnected {
        for place in places { answers[place] = .unavailable(error.description) }
        if lastRefusal != error.description {
          lastRefusal = error.description
          context.logger.error(
            "credentials can't be looked up: \(error.description)", metadata: ["hint": "Run: notify-bridge check"])
        }
      }
    }
    return answers
  }

  /// Who asks only whether users are active gets a short way to the usual answer: that no logins are attached.
  private func ask(_ questions: [CredentialQuestion]) throws(StoreError) -> [CredentialAnswer] {
    if !hasUsers, questions.allSatisfy(\.isAboutActivity) {
      let row = try worker.connection.query(
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

  /// The outer snapshot is taken before the function reads, so it claims no more than the answers know.
  private func lookUp(_ questions: [CredentialQuestion]) throws(StoreError) -> [CredentialAnswer] {
    let requests = questions.enumerated().map { place, question in
      #"{"place":\#(place),"kind":"\#(question.kind)","value":\#(JSONText.string(question.value))}"#
    }
    let rows = try worker.connection.query(
      """
      SELECT pg_current_snapshot()::text, l.place, l.user_id, l.secret, l.is_active, l.is_expired, l.expires
      FROM (VALUES (1)) AS one LEFT JOIN notify_bridge.look_up($1::jsonb, $2) AS l ON true
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

extension CredentialQuestion {
  /// As `notify_bridge.look_up` names it.
  fileprivate var kind: String {
    switch self {
    case .session: "session"
    case .token: "token"
    case .account: "user"
    case .active: "active"
    case .ticket: "ticket"
    case .issue: "issue"
    }
  }

  fileprivate var isAboutActivity: Bool {
    if case .active = self { true } else { false }
  }

  fileprivate var value: String {
    switch self {
    case .session(let secret), .token(let secret): secret.exposed
    case .account(let user), .active(let user), .issue(let user): user.text
    case .ticket(let hash): hash
    }
  }
}
