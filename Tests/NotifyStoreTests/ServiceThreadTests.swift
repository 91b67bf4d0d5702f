import CoreMetrics
import Foundation
import NotifyCore
import TestSupport
import Testing

@testable import NotifyStore

extension DatabaseService {
  /// The name of the thread that runs the actor.
  fileprivate func threadName() -> String? { Thread.current.name }
}

@Suite("The threads of the store's services")
struct ServiceThreadTests {
  @Test("Each service runs on its own thread, which its calls to the database may block")
  func names() async throws {
    let store = Store(
      settings: StoreSettings(url: Secret("host=nowhere.invalid"), version: "test", retentionDays: 0),
      limits: Limits(), status: BridgeStatus(), metrics: BridgeMetrics(factory: NOOPMetricsHandler.instance),
      logger: .silent)
    let services: [(any DatabaseService, name: String)] = [
      (try DeltaFetcher(store, sink: RecordingSink()), "nb-listen"), (try Marker(store), "nb-mark"),
      (try ReplayReader(store), "nb-replay"), (try LookupReader(store), "nb-auth"),
      (try Maintenance(store), "nb-house"),
      (try ActivityRecorder(store, notes: ActivityNotes()), "nb-activity"),
    ]
    for (service, name) in services {
      let thread = await service.threadName()
      #expect(thread == name)
    }
  }
}
