import NotifyCore
import Synchronization
import TestSupport

/// Accepts `user-N` as user N for ever; other credentials get what their text says.
struct TestAuthenticator: Authenticator {
  func verify(_ credential: Credential) async -> Verdict {
    let text =
      switch credential {
      case .bearer(let secret), .token(let secret), .subprotocol(let secret), .any(let secret), .cookie(let secret):
        secret.exposed
      }
    if text.hasPrefix("user-"), let user = UserID(text.dropFirst(5)) {
      return .accepted(Identity(user: user, expires: nil))
    }
    if text.hasPrefix("expiring-"), let user = UserID(text.dropFirst(9)) {
      // Long past in the tests' wall clock, yet accepted: the gateway's own timer has to find it.
      return .accepted(Identity(user: user, expires: 1))
    }
    if text.hasPrefix("renewed-"), let user = UserID(text.dropFirst(8)) {
      // At its first end it turns out to last for ever, or to have ended.
      return .accepted(Identity(user: user, expires: 1, renewal: .any(Secret("user-\(user)"))))
    }
    if text.hasPrefix("ended-"), let user = UserID(text.dropFirst(6)) {
      return .accepted(Identity(user: user, expires: 1, renewal: .any(Secret("expired"))))
    }
    if text == "away" { return .unavailable(detail: "database away") }
    return .rejected(CloseReason.CredentialFault(rawValue: text) ?? .invalid, detail: "test")
  }
}

/// Answers replays with an empty page, or keeps them for the test to answer.
final class TestReplays: ReplaySource {
  typealias Asked = (request: ReplayRequest, answer: @Sendable (ReplayPage) -> Void)

  private let answersItself: Bool
  let asked: AsyncStream<Asked>
  private let continuation: AsyncStream<Asked>.Continuation

  init(answersItself: Bool = true) {
    self.answersItself = answersItself
    (asked, continuation) = AsyncStream.makeStream()
  }

  func replay(_ request: ReplayRequest, _ answer: @escaping @Sendable (ReplayPage) -> Void) {
    continuation.yield((request, answer))
    if answersItself { answer(.empty) }
  }

  /// The next request.
  func next() async -> Asked? {
    for await asked in asked { return asked }
    return nil
  }
}

/// Passes on what was confirmed, one report at a time.
final class TestConfirmations: ConfirmationSink {
  let reports: AsyncStream<[PendingMark]>
  let reads: AsyncStream<[RowName]>
  private let reportContinuation: AsyncStream<[PendingMark]>.Continuation
  private let readContinuation: AsyncStream<[RowName]>.Continuation

  init() {
    (reports, reportContinuation) = AsyncStream.makeStream()
    (reads, readContinuation) = AsyncStream.makeStream()
  }

  func delivered(_ rows: [PendingMark]) { reportContinuation.yield(rows) }
  func read(user: UserID, rows: [RowName]) { readContinuation.yield(rows) }

  /// The next `count` rows, in the order of their reports.
  func rows(_ count: Int) async -> [PendingMark] {
    var rows: [PendingMark] = []
    for await report in reports {
      rows += report
      if rows.count >= count { break }
    }
    return rows
  }
}

extension Epoch {
  static let test = Epoch(systemIdentifier: 7, timeline: 1)
  static let other = Epoch(systemIdentifier: 8, timeline: 1)
}

extension ReplayPage {
  /// Nothing to replay, seen at transaction 100.
  static let empty = ReplayPage(
    batch: DeliveryBatch(base: Snapshot(xmax: 100), snapshot: Snapshot(xmax: 100), cursor: "c100"), truncated: false,
    next: nil, epoch: .test, generation: 0, durable: 99)

  /// The last page of a replay, with the rows of a batch.
  static func page(_ rows: DeliveryBatch, seen: Snapshot) -> ReplayPage {
    ReplayPage(
      batch: DeliveryBatch(
        bytes: rows.bytes, frames: rows.frames, groups: rows.groups, base: seen, snapshot: seen, cursor: rows.cursor),
      truncated: false, next: nil, epoch: .test, generation: 0, durable: seen.xmax - 1)
  }
}

/// Makes batches of rows.
enum Rows {
  /// One batch with the given rows of each user, all of one transaction.
  ///
  /// - Parameter sink: where it goes: rows of users without a socket are left out, as the store does.
  static func batch(
    _ users: [(user: Int64, ids: [Int64])], txid: UInt64 = 200, data: String = "{}", cursor: String? = "c201",
    for sink: (any DeliverySink)? = nil
  ) -> DeliveryBatch {
    let loops = sink?.loops(of: users.map { UserID($0.user) }) ?? users.map { _ in .all }
    var encoder = NotificationEncoder()
    var bytes: [UInt8] = []
    var frames: [DeliveryBatch.Frame] = []
    var groups: [DeliveryBatch.UserFrames] = []
    for ((user, ids), loops) in zip(users, loops) where !loops.isEmpty {
      let start = frames.count
      for id in ids {
        var data = data
        data.withUTF8 {
          encoder.append(
            id: .integer(id), source: nil, createdAt: nil, cursor: id == ids.last ? cursor : nil,
            data: UnsafeRawBufferPointer($0), to: &bytes)
        }
        frames.append(.init(key: RowKey(txid: txid, id: id), end: bytes.count, createdAt: nil))
      }
      groups.append(.init(user: UserID(user), frames: start..<frames.count, loops: loops))
    }
    return DeliveryBatch(
      bytes: bytes, frames: frames, groups: groups, base: Snapshot(xmax: txid), snapshot: Snapshot(xmax: txid + 1),
      cursor: cursor, doorbell: .now)
  }
}
