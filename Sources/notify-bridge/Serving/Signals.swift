import Foundation
import Synchronization

/// Receives SIGTERM, SIGINT and SIGHUP as soon as it exists.
final class Signals: Sendable {
  /// The request of a signal.
  enum Request: Sendable, Equatable {
    /// SIGTERM or SIGINT.
    case stop
    /// SIGHUP.
    case reload
  }

  /// The requests; those before the first read are kept.
  let requests: AsyncStream<Request>
  private let continuation: AsyncStream<Request>.Continuation
  private let stops = Atomic<Int>(0)
  private let onStop: Mutex<(@Sendable (Int) -> Void)?> = Mutex(nil)
  private let sources: Sources

  /// Keeps the dispatch sources, which are made once and then only kept.
  private final class Sources: @unchecked Sendable {
    // @unchecked: written in `init` of the one owner only.
    var all: [any DispatchSourceSignal] = []
  }

  init() {
    (requests, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(16))
    sources = Sources()
    let queue = DispatchQueue(label: "signals")
    for number in [SIGTERM, SIGINT, SIGHUP] {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
      source.setEventHandler { [weak self] in self?.received(number) }
      source.resume()
      sources.all.append(source)
    }
  }

  /// Whether a stop was requested.
  var isStopping: Bool { stops.load(ordering: .acquiring) > 0 }

  /// Calls an action for every further stop, on the queue of signals, with the number of stops.
  func whenStopped(_ action: @escaping @Sendable (Int) -> Void) { onStop.withLock { $0 = action } }

  private func received(_ number: Int32) {
    guard number != SIGHUP else {
      continuation.yield(.reload)
      return
    }
    let count = stops.add(1, ordering: .acquiringAndReleasing).newValue
    // First, since the process may end as soon as the request is read.
    onStop.withLock { $0 }?(count)
    continuation.yield(.stop)
  }
}
