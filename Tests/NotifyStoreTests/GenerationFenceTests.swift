import NotifyCore
import Testing

@testable import NotifyStore

@Suite("The fence between generations")
struct GenerationFenceTests {
  @Test("A request that has waited through losses of the connection is lowered to what was on disk at the first one")
  func waiting() {
    let fence = GenerationFence()
    let epoch = Epoch(systemIdentifier: 1, timeline: 1)
    for (generation, lost) in [(0, 0), (1, 50), (2, 70)] as [(UInt64, UInt64)] {
      fence.begin(GenerationFence.Generation(epoch: epoch, number: generation, durable: 0), lost: lost)
    }
    func current(_ wanted: ReplayRequest.Wanted, from generation: UInt64) -> ReplayRequest {
      fence.adapted(
        ReplayRequest(user: UserID(1), wanted: wanted, cancellation: ReplayCancellation(), generation: generation))
    }
    let joined = Snapshot(xmax: 100)
    #expect(current(.after(joined), from: 2).wanted == .after(joined))
    #expect(current(.after(joined), from: 1).wanted == .after(Snapshot(xmax: 71)))
    #expect(current(.after(joined), from: 0).wanted == .after(Snapshot(xmax: 51)))
    #expect(current(.after(joined), from: 0).generation == 2)
    // A cursor claims only what was on disk when it was made.
    #expect(
      current(.connecting(since: "c", routedAtJoin: joined), from: 0).wanted
        == .connecting(since: "c", routedAtJoin: Snapshot(xmax: 51)))
  }
}
