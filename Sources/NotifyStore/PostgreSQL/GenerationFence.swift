internal import NotifyCore
internal import Synchronization

/// Keeps transaction ids of different histories apart, across all connections.
///
/// After a crash the server hands ids out again. A connection made after the crash, used before the listening connection
/// has noticed it, would mix ids of both times. So each other connection waits, once it is connected, until the listening
/// connection has had an answer: `waitUntilCurrent`. (`Documentation/database.md`, "Crashes and failover")
final class GenerationFence: Sendable {
  /// A session of the listening connection, and the history in which its transaction ids are valid.
  struct Generation: Sendable, Equatable {
    var epoch: Epoch
    /// Counts the listening connection's losses.
    var number: UInt64
    /// The newest of our transactions known to be on disk.
    var durable: UInt64
  }

  private struct State {
    var generation: Generation?
    /// For each number that has ended, the newest transaction known to be on disk then.
    var losses: [UInt64] = []
    /// The listening connection has ended for good.
    var isOver = false
    /// Wakes the listening connection.
    var waker: PGConnection.Waker?
    /// Waiting since the last statement of the listening connection began.
    var waiting: [CheckedContinuation<Generation?, Never>] = []
    /// Answered when the statement under way succeeds.
    var underWay: [CheckedContinuation<Generation?, Never>] = []
  }

  private let state = Mutex(State())

  /// The current generation; nil before the listening connection's first.
  var current: Generation? { state.withLock { $0.generation } }

  /// Adapts a request to the losses of the connection since it was made: the durable transaction of the first one counts.
  func adapted(_ request: ReplayRequest) -> ReplayRequest {
    let (losses, number) = state.withLock { ($0.losses, $0.generation?.number ?? 0) }
    guard request.generation < number else { return request }
    return ReplayRequest(
      user: request.user, wanted: request.wanted.lowered(durable: losses[Int(request.generation)]),
      cancellation: request.cancellation, generation: number)
  }

  // MARK: The other connections

  /// Waits until the listening connection has had an answer to a statement that began after this call.
  ///
  /// - Returns: the generation of that answer; nil where the listening connection is lost too.
  func waitUntilCurrent() async -> Generation? {
    await withCheckedContinuation { continuation in
      let (waker, isOver) = state.withLock { state in
        if !state.isOver { state.waiting.append(continuation) }
        return (state.waker, state.isOver)
      }
      if isOver { continuation.resume(returning: nil) } else { waker?.wake() }
    }
  }

  /// Records a transaction of ours that was committed synchronously, on a connection of the generation with this number.
  func recordDurable(_ transaction: UInt64, number: UInt64) {
    state.withLock { state in
      guard let generation = state.generation, generation.number == number else { return }
      state.generation?.durable = max(generation.durable, transaction)
    }
  }

  // MARK: The listening connection

  /// Sets what wakes the listening connection.
  func setWaker(_ waker: PGConnection.Waker) {
    state.withLock { $0.waker = waker }
  }

  /// A new connection begins a new generation, maybe in another history.
  ///
  /// - Parameter durable: the newest transaction known to be on disk when the last one ended.
  func begin(_ generation: Generation, lost durable: UInt64 = 0) {
    state.withLock { state in
      while state.losses.count < generation.number { state.losses.append(durable) }
      state.generation = generation
    }
  }

  /// A statement of the listening connection begins: its answer counts for all who wait by now.
  func statementBegins() {
    state.withLock { state in
      state.underWay += state.waiting
      state.waiting = []
    }
  }

  /// The statement was answered.
  func statementAnswered() {
    let (answered, generation) = state.withLock { state in
      defer { state.underWay = [] }
      return (state.underWay, state.generation)
    }
    answered.forEach { $0.resume(returning: generation) }
  }

  /// The listening connection is lost, or could not be made.
  func connectionLost() {
    let waiting = state.withLock { state in
      defer {
        state.waiting = []
        state.underWay = []
      }
      return state.waiting + state.underWay
    }
    waiting.forEach { $0.resume(returning: nil) }
  }

  /// The listening connection ends for good.
  func end() {
    state.withLock { $0.isOver = true }
    connectionLost()
  }
}
