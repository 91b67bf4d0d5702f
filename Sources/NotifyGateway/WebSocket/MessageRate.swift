import NIOCore

/// Counts a client's messages against a rate; a second's worth may come at once.
struct MessageRate {
  private let perSecond: Int
  private var used = 0
  private var since: NIODeadline

  init(perSecond: Int, now: NIODeadline) {
    self.perSecond = perSecond
    since = now
  }

  /// One more message; false where it is too many.
  mutating func accept(at now: NIODeadline) -> Bool {
    let elapsed = (now - since).nanoseconds
    let refilled = Int(min(elapsed, 3_600_000_000_000)) * perSecond / 1_000_000_000
    if refilled > 0 {
      // The rest of the last message's share is kept, or a client just at the rate would exceed it some day.
      since = refilled < used ? since + .nanoseconds(Int64(refilled) * 1_000_000_000 / Int64(perSecond)) : now
      used = max(0, used - refilled)
    }
    used += 1
    return used <= perSecond
  }
}
