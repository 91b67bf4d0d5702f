import CNotifyStore
import NotifyCore
import Synchronization

@testable import NotifyStore

/// Hears every doorbell of a database, and from which transaction it came: the bridge's own connections only count them.
///
/// libpq's `PQnotifies` is wrapped for that. One at a time: a C function has no place of its own for what it hears.
actor BellRecorder {
  nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }
  private nonisolated let thread = DedicatedThread(name: "bells")

  enum Failure: Error { case connection }

  private static let heard = Mutex<Set<UInt64>>([])
  private let store: Store

  init(_ url: Secret) throws {
    Self.heard.withLock { $0 = [] }
    store = try Store()
    guard
      notify_store_connect(store.pointer, url.exposed, "bells", 10_000) == NOTIFY_STORE_OK,
      notify_store_listen(store.pointer, "notify_bridge", 10_000) == NOTIFY_STORE_OK
    else { throw Failure.connection }
  }

  /// Waits until this transaction has rung: all that committed before it and rang have been heard then.
  ///
  /// - Returns: all transactions that rang.
  func heard(until last: UInt64) throws -> Set<UInt64> {
    while true {
      let heard = Self.heard.withLock { $0 }
      if heard.contains(last) { return heard }
      try Task.checkCancellation()
      var (events, doorbells): (UInt32, UInt32) = (0, 0)
      guard notify_store_wait(store.pointer, 1_000, &events, &doorbells) == NOTIFY_STORE_OK else {
        throw Failure.connection
      }
    }
  }

  /// The C handle and the table that it keeps a pointer to.
  private final class Store: @unchecked Sendable {
    let pointer: OpaquePointer
    private let functions = UnsafeMutablePointer<notify_store_libpq>.allocate(capacity: 1)

    init() throws {
      functions.initialize(to: notify_store_libpq_default().pointee)
      functions.pointee.notifies = { connection in
        let notification = notify_store_libpq_default().pointee.notifies(connection)
        if let text = notification?.pointee.extra, let txid = UInt64(String(cString: text)) {
          _ = BellRecorder.heard.withLock { $0.insert(txid) }
        }
        return notification
      }
      var store: OpaquePointer?
      guard notify_store_create(functions, &store) == NOTIFY_STORE_OK, let store else { throw Failure.connection }
      pointer = store
    }

    deinit {
      notify_store_destroy(pointer)
      functions.deallocate()
    }
  }
}
