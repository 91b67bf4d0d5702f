import Foundation
import Logging
import NotifyCore
import ServiceLifecycle

/// Keeps a key set current: reads it at start and periodically, and sooner when a token names an unknown key.
///
/// Its service performs every read: a client that disconnects interrupts none, and many tokens wait for one.
actor KeySetStore: Service {
  /// The candidates for a token's key, and whether a new read may bring others.
  struct Lookup: Sendable {
    /// The keys to try.
    let keys: [VerificationKey]
    /// Whether the key that the token names is absent, or it names none: a new read may bring it.
    let mayBeNew: Bool
    /// Whether the last read failed, or there was none yet: then an unknown key is no reason to refuse.
    let isStale: Bool
  }

  private let source: KeySetSource
  /// The setting that names the key set.
  nonisolated var setting: AuthSetting { source.setting }
  private let refresh: Duration
  private let logger: Logger
  private let clock: @Sendable () -> Double
  private let wait: @Sendable (Duration) async throws -> Void

  private var keySet: KeySet?
  private var bytes: [UInt8]?
  private var failure: String? = "has not been read yet"
  private var failures = 0

  private var isRunning = false
  private var isReading = false
  /// A read at once is requested.
  private var isWanted = false
  private var lastReread: Double?
  private var waiters: [CheckedContinuation<Void, Never>] = []
  private var wake: AsyncStream<Void>.Continuation?

  init(
    _ source: KeySetSource, refresh: Duration, logger: Logger, clock: @escaping @Sendable () -> Double,
    wait: @escaping @Sendable (Duration) async throws -> Void
  ) {
    self.source = source
    self.refresh = refresh
    self.logger = logger
    self.clock = clock
    self.wait = wait
  }

  /// Whether another store reads the same address.
  nonisolated func hasAddress(of other: KeySetStore) -> Bool {
    if case .url = source { source == other.source } else { false }
  }

  /// Begins with the keys that another store of this address has read last.
  func takeKeys(of other: KeySetStore) async { (keySet, bytes, failure) = await other.keys }

  private var keys: (KeySet?, [UInt8]?, failure: String?) { (keySet, bytes, failure) }

  /// Finds the keys for a token.
  func find(_ token: SignedToken) -> Lookup {
    Lookup(
      keys: keySet?.candidates(for: token) ?? [],
      mayBeNew: token.keyID.map { keySet?.knows($0) != true } ?? true,
      isStale: failure != nil)
  }

  /// Waits for a new read, unless there was one on demand a moment ago.
  ///
  /// - Returns: whether one took place.
  func reread() async -> Bool {
    guard isRunning, waiters.count < Limits.keySetWaiters else { return false }
    if !isReading, !isWanted {
      let now = clock()
      // A clock that was set back doesn't stop rereading.
      if let last = lastReread, (0..<Limits.keySetRereadSeconds).contains(now - last) { return false }
      lastReread = now
      want()
    }
    await withCheckedContinuation { waiters.append($0) }
    return true
  }

  /// Has it read again at once, as after SIGHUP.
  func want() {
    isWanted = true
    wake?.yield()
  }

  /// Reads once, without the service.
  ///
  /// - Returns: the reason why it can't be used; nil where it has been read.
  func readOnce() async -> KeySetError? {
    do {
      try await read()
      return nil
    } catch {
      return error
    }
  }

  /// Lines about keys that were left out; and whether a weak one is among them.
  func leftOut() -> (warnings: [String], hasWeakKey: Bool) { (keySet?.warnings ?? [], keySet?.hasWeakKey ?? false) }

  func run() async throws {
    await cancelWhenGracefulShutdown { await self.keepCurrent() }
  }

  private func keepCurrent() async {
    isRunning = true
    defer {
      isRunning = false
      release()
    }
    while !Task.isCancelled {
      isWanted = false
      isReading = true
      await readAndReport()
      isReading = false
      release()
      await pause(pauseSeconds)
    }
  }

  private var pauseSeconds: Duration {
    if case .file = source { return .seconds(Limits.keySetFilePollSeconds) }
    guard failures > 0 else { return refresh }
    return min(refresh, .seconds(min(Limits.keySetRetrySeconds, 1 << min(failures - 1, 8))))
  }

  /// Waits for the time to pass, a wish to read at once, or the end.
  private func pause(_ duration: Duration) async {
    let (wishes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
    self.wake = wake
    defer { self.wake = nil }
    guard !isWanted else { return }
    await withTaskGroup(of: Void.self) { group in
      group.addTask { [wait] in try? await wait(duration) }
      group.addTask { for await _ in wishes { break } }
      await group.next()
      group.cancelAll()
    }
  }

  private func release() {
    let released = waiters
    waiters = []
    for waiter in released { waiter.resume() }
  }

  private func read() async throws(KeySetError) {
    let bytes = try await source.read()
    if bytes != self.bytes || keySet == nil {
      keySet = try KeySet.read(bytes)
      self.bytes = bytes
    }
    failure = nil
  }

  /// Reads; logs changes, not every read.
  private func readAndReport() async {
    let before = bytes
    do {
      let failed = failure
      try await read()
      failures = 0
      guard bytes != before || failed != nil else { return }
      logger.info("\(source.setting.rawValue) has been read")
      for warning in keySet?.warnings ?? [] {
        logger.warning("\(source.setting.rawValue): \(warning)")
      }
    } catch {
      guard !Task.isCancelled else { return }
      failures += 1
      if failure != error.detail {
        let keys = keySet == nil ? "there are no keys yet" : "the keys before it stay"
        logger.warning("\(source.setting.rawValue) \(error.detail); \(keys)")
      }
      failure = error.detail
    }
  }
}
