internal import Synchronization

/// The end of fetching before the sockets are closed: asked for by any task, carried out on the fetcher's thread.
final class Handover: Sendable {
  /// What the fetcher is asked for, in this order.
  enum HandoverStep: Sendable {
    /// To fetch no more.
    case stop
    /// To give the sockets a cursor for all that was delivered.
    case vouch
  }

  private struct State {
    var isServing = false
    var step: HandoverStep?
    var waiting: CheckedContinuation<Void, Never>?
  }

  private let state = Mutex(State())

  /// What is asked for.
  var step: HandoverStep? { state.withLock { $0.step } }

  /// Asks for a step, and returns once it was carried out or the fetcher has no session.
  func request(_ step: HandoverStep, wake: () -> Void) async {
    await withCheckedContinuation { continuation in
      let isServing = state.withLock { state in
        if state.isServing { (state.step, state.waiting) = (step, continuation) }
        return state.isServing
      }
      if isServing { wake() } else { continuation.resume() }
    }
  }

  /// A session begins.
  func begin() { state.withLock { $0.isServing = true } }

  /// The step was carried out.
  func done() {
    state.withLock { state in
      state.step = nil
      return state.waiting.take()
    }?.resume()
  }

  /// The session has ended.
  func end() {
    state.withLock { state in
      defer { state = State() }
      return state.waiting
    }?.resume()
  }
}

/// Returns once `body` has ended, and at the latest after `limit`; `body` goes on then.
func wait(atMost limit: Duration, for body: @escaping @Sendable () async -> Void) async {
  let ends = AsyncStream<Void> { continuation in
    Task {
      await body()
      continuation.finish()
    }
    Task {
      try await Task.sleep(for: limit)
      continuation.finish()
    }
  }
  for await _ in ends {}
}
