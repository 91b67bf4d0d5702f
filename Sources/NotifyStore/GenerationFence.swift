internal import NotifyCore
internal import Synchronization

/// What all connections must agree on before their transaction ids can be compared.
///
/// After a crash ids are handed out again. A connection made after the crash, used while the listener has not noticed it
/// yet, would mix ids of both times: so every other connection asks the listener, once it is connected, to `confirm`.
final class GenerationFence: Sendable {
  /// The history in which ids are valid.
  struct Generation: Sendable, Equatable {
    var epoch: Epoch
    /// Counts the listener's lost connections.
    var generation: UInt64
    /// The newest transaction of ours known to be on disk (M in `database.md`).
    var durable: UInt64
  }

  private struct State {
    var moment: Generation?
    /// For each generation that has ended, the newest transaction known to be on disk then.
    var losses: [UInt64] = []
    /// The listener has ended: nobody can confirm anything any more.
    var isOver = false
    /// Wakes the listener.
    var waker: PGConnection.Waker?
    /// Asked since the listener's last statement began.
    var asking: [CheckedContinuation<Generation?, Never>] = []
    /// Answered when the statement under way succeeds.
    var underWay: [CheckedContinuation<Generation?, Never>] = []
  }

  private let state = Mutex(State())

  /// The present; nil before the listener's first connection.
  var moment: Generation? { state.withLock { $0.moment } }

  /// A request as it is to be asked now: it may have waited while the connection was lost, once or several times. What was
  /// durable before the first loss is what counts.
  func current(_ request: ReplayRequest) -> ReplayRequest {
    let (losses, generation) = state.withLock { ($0.losses, $0.moment?.generation ?? 0) }
    guard request.generation < generation else { return request }
    return ReplayRequest(
      user: request.user, wanted: request.wanted.lowered(durable: losses[Int(request.generation)]),
      ticket: request.ticket, generation: generation)
  }

  // MARK: The other connections' side

  /// Waits until the listener has had an answer to a statement that began after this call, then tells the present.
  ///
  /// - Returns: nil when the listener couldn't: its connection is lost too.
  func confirm() async -> Generation? {
    await withCheckedContinuation { continuation in
      let (waker, isOver) = state.withLock { state in
        if !state.isOver { state.asking.append(continuation) }
        return (state.waker, state.isOver)
      }
      if isOver { continuation.resume(returning: nil) } else { waker?.wake() }
    }
  }

  /// A transaction of ours was committed synchronously, on a connection confirmed in this generation.
  func committed(_ transaction: UInt64, generation: UInt64) {
    state.withLock { state in
      guard let moment = state.moment, moment.generation == generation else { return }
      state.moment?.durable = max(moment.durable, transaction)
    }
  }

  // MARK: The listener's side

  func listener(_ waker: PGConnection.Waker) {
    state.withLock { $0.waker = waker }
  }

  /// A new connection begins a new generation, maybe in another history.
  ///
  /// - Parameter durable: what was known to be on disk when the one before ended.
  func begin(_ moment: Generation, lost durable: UInt64 = 0) {
    state.withLock { state in
      while state.losses.count < moment.generation { state.losses.append(durable) }
      state.moment = moment
    }
  }

  /// A statement of the listener begins: what it answers holds for all who asked before.
  func statementBegins() {
    state.withLock { state in
      state.underWay += state.asking
      state.asking = []
    }
  }

  /// It was answered.
  func statementAnswered() {
    let (answered, moment) = state.withLock { state in
      defer { state.underWay = [] }
      return (state.underWay, state.moment)
    }
    answered.forEach { $0.resume(returning: moment) }
  }

  /// The listener ends.
  func end() {
    state.withLock { $0.isOver = true }
    connectionLost()
  }

  /// The listener's connection is lost, or could not be made.
  func connectionLost() {
    let waiting = state.withLock { state in
      defer {
        state.asking = []
        state.underWay = []
      }
      return state.asking + state.underWay
    }
    waiting.forEach { $0.resume(returning: nil) }
  }
}
