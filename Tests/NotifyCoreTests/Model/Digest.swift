@testable import NotifyCore

/// What a value was given so far, as one number: stands for the value where states are compared.
struct Digest: Hashable {
  private var value = 0

  mutating func add(_ feed: (inout Hasher) -> Void) {
    var hasher = Hasher()
    hasher.combine(value)
    feed(&hasher)
    value = hasher.finalize()
  }

  mutating func add(_ page: ReplayPage) {
    add {
      page.batch.feed(&$0)
      $0.combine(page.next == nil)
      page.next?.since?.feed(&$0)
      $0.combine(page.next?.unsent)
      $0.combine(page.next?.began)
      $0.combine(page.generation)
      $0.combine(page.durable)
    }
  }
}

extension Snapshot {
  func feed(_ hasher: inout Hasher) {
    hasher.combine(xmax)
    hasher.combine(xip)
  }
}

extension DeliveryBatch {
  func feed(_ hasher: inout Hasher) {
    base.feed(&hasher)
    snapshot.feed(&hasher)
    for frame in frames { hasher.combine(frame.key) }
    for group in groups { hasher.combine(group.user) }
    hasher.combine(isExact)
    hasher.combine(cursor)
  }
}

extension ModelConnection {
  /// The session of a live connection is known from these few: its past no longer counts.
  mutating func forgetInputs() {
    guard session.phase == .live else { return }
    inputs = Digest()
    inputs.add {
      session.replaySnapshot?.feed(&$0)
      $0.combine(session.replayXmax)
      $0.combine(session.replayedNotDurable)
    }
  }

  func feed(_ hasher: inout Hasher) {
    hasher.combine(inputs)
    hasher.combine(received)
    hasher.combine(owed)
    hasher.combine(awaitsWrite)
    hasher.combine(queued)
  }
}

/// A state of the model, to tell whether it was reached before.
struct ModelState: Hashable {
  private let digest: Int
  private let reader: DeltaReader
  private let unsent: UnsentIndex

  init(_ model: Model, _ more: some Hashable) {
    var hasher = Hasher()
    hasher.combine(model.database)
    hasher.combine(model.chance.left)
    for (batch, snapshot) in model.routed {
      batch.feed(&hasher)
      snapshot.feed(&hasher)
    }
    for client in model.clients {
      hasher.combine(client.cursor)
      // Which connection received a row is of no further effect.
      hasher.combine(Set(client.history.joined()))
      hasher.combine(client.firstConnect)
      hasher.combine(client.connection == nil)
      client.connection?.feed(&hasher)
    }
    hasher.combine(model.written)
    model.lastRouted.feed(&hasher)
    hasher.combine(model.losses)
    hasher.combine(more)
    digest = hasher.finalize()
    reader = model.reader
    unsent = model.unsent
  }

  func hash(into hasher: inout Hasher) { hasher.combine(digest) }
}
