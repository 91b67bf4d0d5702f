import ServiceLifecycle

/// Returns on SIGTERM and SIGINT, which ends the group; reloads on SIGHUP.
struct SignalService: Service {
  let signals: Signals
  let reload: @Sendable () async -> Void

  func run() async throws {
    await cancelWhenGracefulShutdown {
      for await request in signals.requests {
        switch request {
        case .stop: return
        case .reload: await reload()
        }
      }
    }
  }
}
