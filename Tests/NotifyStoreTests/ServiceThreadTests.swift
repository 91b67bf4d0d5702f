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
    #expect(try await DeltaFetcher(store, sink: RecordingSink()).threadName() == "nb-listen")
    #expect(try await Marker(store).threadName() == "nb-mark")
    #expect(try await ReplayReader(store).threadName() == "nb-replay")
    #expect(try await LookupReader(store).threadName() == "nb-auth")
    #expect(try await Maintenance(store).threadName() == "nb-house")
  }
}
