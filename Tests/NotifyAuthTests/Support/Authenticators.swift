import Logging
import NIOConcurrencyHelpers
import NotifyAuth
import NotifyCore
import TestSupport

/// A time that stands still until a test moves it.
final class ManualClock: Sendable {
  private let seconds: NIOLockedValueBox<Double>

  init(_ seconds: Double = Tokens.now) { self.seconds = NIOLockedValueBox(seconds) }

  var now: Double { seconds.withLockedValue { $0 } }

  func advance(by amount: Double) { seconds.withLockedValue { $0 += amount } }
}

/// Pauses that last until a test ends them.
final class ManualPauses: Sendable {
  struct Pause: Sendable {
    let duration: Duration
    private let end: AsyncStream<Void>.Continuation

    init(_ duration: Duration, _ end: AsyncStream<Void>.Continuation) {
      self.duration = duration
      self.end = end
    }

    func finish() { end.finish() }
  }

  private let pauses: AsyncStream<Pause>
  private let began: AsyncStream<Pause>.Continuation

  init() { (self.pauses, self.began) = AsyncStream.makeStream(of: Pause.self) }

  /// Waits for the next pause to begin.
  func next() async -> Pause? {
    for await pause in pauses { return pause }
    return nil
  }

  func wait(_ duration: Duration) async {
    let (ends, end) = AsyncStream.makeStream(of: Void.self)
    began.yield(Pause(duration, end))
    for await _ in ends {}
  }
}

extension JWTAuthenticator {
  /// Verifies with a clock that stands at `Tokens.now`.
  static func test(_ change: (inout JWTSettings) -> Void) async throws -> JWTAuthenticator {
    var settings = JWTSettings()
    change(&settings)
    return try await JWTAuthenticator(settings, logger: Logger.silent, clock: { Tokens.now })
  }

  func verify(_ token: String) async -> Verdict { await verify(.any(Secret(token))) }
}

extension Verdict {
  /// The user's text, where accepted.
  var user: String? {
    if case .accepted(let identity) = self { identity.user.text } else { nil }
  }

  var expires: Double? {
    if case .accepted(let identity) = self { identity.expires } else { nil }
  }

  var reason: CloseReason.CredentialFault? {
    if case .rejected(let reason, _) = self { reason } else { nil }
  }

  var detail: String? {
    switch self {
    case .accepted: nil
    case .rejected(_, let detail), .unavailable(let detail): detail
    }
  }

  var isUnavailable: Bool {
    if case .unavailable = self { true } else { false }
  }
}
