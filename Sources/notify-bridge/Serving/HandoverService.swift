import NotifyCore
import NotifyStore
import ServiceLifecycle

/// Ends the fetching of rows when the bridge stops, while the sockets are still open.
struct HandoverService: Service {
  let status: BridgeStatus
  let fetcher: DeltaFetcher
  let marker: Marker

  func run() async {
    do { try await gracefulShutdown() } catch { return }
    status.draining()
    await fetcher.handOver(to: marker)
  }
}
