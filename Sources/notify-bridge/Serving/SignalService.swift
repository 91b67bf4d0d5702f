import ServiceLifecycle

/// Ends the group on SIGTERM and SIGINT, by returning, and has things read again on SIGHUP.
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
