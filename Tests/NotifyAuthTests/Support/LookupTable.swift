import NIOConcurrencyHelpers
import NotifyCore

/// Answers questions about credentials out of a table, and remembers them.
final class LookupTable: CredentialLookup {
  private let answers: NIOLockedValueBox<[(CredentialQuestion, CredentialAnswer)]>
  private let questions = NIOLockedValueBox<[CredentialQuestion]>([])

  init(_ answers: [(CredentialQuestion, CredentialAnswer)] = []) { self.answers = NIOLockedValueBox(answers) }

  var asked: [CredentialQuestion] { questions.withLockedValue { $0 } }

  func answer(_ question: CredentialQuestion, _ answer: CredentialAnswer) {
    answers.withLockedValue { $0.insert((question, answer), at: 0) }
  }

  func lookUp(_ question: CredentialQuestion) async -> CredentialAnswer {
    questions.withLockedValue { $0.append(question) }
    return answers.withLockedValue { answers in answers.first { $0.0 == question }?.1 } ?? .unknown
  }
}

extension CredentialAnswer {
  /// A record with what matters to a test.
  static func record(
    user: Int64? = nil, secret: String? = nil, isActive: Bool = true, isExpired: Bool = false, expires: Double? = nil,
    seen: UInt64 = 100
  ) -> CredentialAnswer {
    .found(
      CredentialRecord(
        user: user.map { UserID($0) }, secret: secret.map { Secret($0) }, isActive: isActive, isExpired: isExpired,
        expires: expires, seen: Snapshot(xmax: seen)))
  }
}
