import NIOCore
import Synchronization

/// Counts the open sockets, for the end of a drain.
final class SocketCounter: Sendable {
  private struct State {
    var open = 0
    var waiting: EventLoopPromise<Void>?
  }

  private let limit: Int
  private let state = Mutex(State())

  init(limit: Int) { self.limit = limit }

  /// Counts a socket; false, without counting it, at the limit.
  func opened() -> Bool {
    state.withLock { state in
      if state.open >= limit { return false }
      state.open += 1
      return true
    }
  }

  /// A counted socket is closed.
  func closed() {
    let promise = state.withLock { state -> EventLoopPromise<Void>? in
      state.open -= 1
      guard state.open == 0 else { return nil }
      defer { state.waiting = nil }
      return state.waiting
    }
    promise?.succeed()
  }

  /// Completes when no socket is open, or at the deadline.
  func whenNone(on eventLoop: any EventLoop, within time: TimeAmount) -> EventLoopFuture<Void> {
    let promise = eventLoop.makePromise(of: Void.self)
    let isNone = state.withLock { state -> Bool in
      if state.open == 0 { return true }
      state.waiting = promise
      return false
    }
    if isNone {
      promise.succeed()
      return promise.futureResult
    }
    let timeout = eventLoop.scheduleTask(in: time) { [self] in
      state.withLock { state -> EventLoopPromise<Void>? in
        defer { state.waiting = nil }
        return state.waiting
      }?.succeed()
    }
    promise.futureResult.whenComplete { _ in timeout.cancel() }
    return promise.futureResult
  }
}
