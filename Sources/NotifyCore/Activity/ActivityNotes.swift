internal import Synchronization

/// What happens on the sockets, noted by the event loops for presence and the logs, until the store takes it.
///
/// A note is an entry in memory: no loop ever waits for the database. Each kind is bounded; what exceeds it is dropped and
/// counted, apart from presence, which is written anew then. From any thread.
package final class ActivityNotes: Sendable {
  /// What is recorded.
  package struct Kinds: Sendable, Equatable {
    package var presence: Bool
    package var connections: Bool
    package var deliveries: Bool

    package init(presence: Bool = false, connections: Bool = false, deliveries: Bool = false) {
      self.presence = presence
      self.connections = connections
      self.deliveries = deliveries
    }

    /// Whether there is anything to record.
    package var isEmpty: Bool { !presence && !connections && !deliveries }
  }

  /// All notes at one moment.
  package struct ActivityBatch: Sendable {
    package var presence = PresenceTable.Changes(isWhole: false, users: [])
    package var connections: [ConnectionRecord] = []
    package var deliveries: [DeliveryRecord] = []
    /// Whether any user has a socket.
    package var hasSockets = false

    /// No notes.
    package init() {}

    package var isEmpty: Bool { presence.isEmpty && connections.isEmpty && deliveries.isEmpty }
  }

  private struct DeliveryKey: Hashable {
    let row: RowName
    let event: DeliveryEvent
  }

  private struct DeliveryEntry {
    var at: Int64
    var devices: Int
  }

  package let kinds: Kinds
  private let presence = Mutex(PresenceTable())
  private let connections = Mutex<[UInt64: ConnectionRecord]>([:])
  private let deliveries = Mutex<[DeliveryKey: DeliveryEntry]>([:])
  private let numbers = Atomic<UInt64>(0)
  private let dropped = Atomic<Int>(0)
  /// Something was noted since the store took the notes.
  private let isNoted = Atomic<Bool>(false)
  private let waker = Mutex<(@Sendable () -> Void)?>(nil)

  /// - Parameter kinds: others are not noted.
  package init(_ kinds: Kinds = Kinds()) { self.kinds = kinds }

  // MARK: The gateway

  /// A user has one more socket. Times are microseconds since 1970.
  package func joined(_ user: UserID, at now: @autoclosure () -> Int64) {
    guard kinds.presence else { return }
    let now = now()
    presence.withLock { $0.joined(user, at: now) }
    wake()
  }

  /// A user has one socket less.
  package func left(_ user: UserID, at now: @autoclosure () -> Int64) {
    guard kinds.presence else { return }
    let now = now()
    presence.withLock { $0.left(user, at: now) }
    wake()
  }

  /// A name for a socket in the connection log; nil where there is no log.
  package func connectionNumber() -> UInt64? {
    kinds.connections ? numbers.add(1, ordering: .relaxed).newValue : nil
  }

  /// A socket has opened or ended.
  package func connection(_ record: ConnectionRecord) {
    connections.withLock { records in
      if records.count < Limits.loggedConnections || records[record.number] != nil {
        records[record.number] = record
      } else {
        dropped.add(1, ordering: .relaxed)
      }
    }
    wake()
  }

  /// A device took or confirmed rows.
  package func delivered(_ rows: some Sequence<RowName>, _ event: DeliveryEvent, at now: Int64) {
    guard kinds.deliveries else { return }
    deliveries.withLock { entries in
      for row in rows {
        let key = DeliveryKey(row: row, event: event)
        if entries[key] == nil, entries.count >= Limits.loggedDeliveries {
          dropped.add(1, ordering: .relaxed)
        } else {
          entries[key, default: DeliveryEntry(at: now, devices: 0)].devices += 1
        }
      }
    }
    wake()
  }

  private func wake() {
    // Read first: written by each note, the flag would travel between the processors.
    if isNoted.load(ordering: .relaxed) || isNoted.exchange(true, ordering: .acquiringAndReleasing) { return }
    waker.withLock { $0 }?()
  }

  // MARK: The store

  /// Sets what is called with the first note after a `take`.
  package func setWaker(_ waker: @escaping @Sendable () -> Void) {
    self.waker.withLock { $0 = waker }
  }

  /// Whether there is something to write.
  package var hasNotes: Bool { isNoted.load(ordering: .acquiring) }

  /// What was written may be lost: all users are to be written again.
  package func rewritePresence() {
    guard kinds.presence else { return }
    presence.withLock { $0.rewrite() }
    wake()
  }

  /// Takes all notes.
  package func take() -> ActivityBatch {
    isNoted.store(false, ordering: .releasing)
    var batch = ActivityBatch()
    (batch.presence, batch.hasSockets) = presence.withLock { ($0.take(), !$0.isEmpty) }
    let records = connections.withLock { records in
      defer { records = [:] }
      return records
    }
    batch.connections = Array(records.values)
    let entries = deliveries.withLock { entries in
      defer { entries = [:] }
      return entries
    }
    batch.deliveries = entries.map { key, entry in
      DeliveryRecord(row: key.row, event: key.event, at: entry.at, devices: entry.devices)
    }
    return batch
  }

  /// Notes could not be written. A later note of the same socket or user counts.
  package func putBack(_ batch: ActivityBatch) {
    if !batch.presence.isEmpty { presence.withLock { $0.putBack(batch.presence) } }
    var surplus = 0
    connections.withLock { records in
      for record in batch.connections where records[record.number] == nil {
        if records.count < Limits.loggedConnections { records[record.number] = record } else { surplus += 1 }
      }
    }
    deliveries.withLock { entries in
      for record in batch.deliveries {
        let key = DeliveryKey(row: record.row, event: record.event)
        if let entry = entries[key] {
          entries[key] = DeliveryEntry(at: min(entry.at, record.at), devices: entry.devices + record.devices)
        } else if entries.count < Limits.loggedDeliveries {
          entries[key] = DeliveryEntry(at: record.at, devices: record.devices)
        } else {
          surplus += 1
        }
      }
    }
    if surplus > 0 { dropped.add(surplus, ordering: .relaxed) }
    if !batch.isEmpty { wake() }
  }

  /// Takes the number of notes that were dropped.
  package func takeDropped() -> Int { dropped.exchange(0, ordering: .relaxed) }
}
