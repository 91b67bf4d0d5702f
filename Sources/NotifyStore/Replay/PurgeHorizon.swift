internal import Synchronization

/// The newest transaction of which the retention has deleted a row: an older cursor no longer vouches for everything.
final class PurgeHorizon: Sendable {
  private let txid = Atomic<UInt64>(0)

  /// 0 where nothing was deleted.
  var newest: UInt64 {
    get { txid.load(ordering: .relaxed) }
    set { txid.store(newValue, ordering: .relaxed) }
  }
}
