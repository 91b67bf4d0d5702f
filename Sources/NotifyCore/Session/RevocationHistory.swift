internal import DequeModule

/// The newest revocations, for credentials whose verification began before they came.
///
/// A verification notes `serial` first and calls `judge` last. The look-up did not see the revocations in between, and the
/// socket was in no group in which they could have found it. A value without clock or I/O.
package struct RevocationHistory: Sendable {
  /// The state of an access after the revocations since.
  package enum RevocationVerdict: Equatable, Sendable {
    case good
    case ended(CloseReason.CredentialFault)
    /// More came than is remembered: verify again.
    case unknown
  }

  /// The number of batches added.
  package private(set) var serial: UInt64 = 0
  private var recent: Deque<RevocationIndex> = []
  private var remembered = 0

  package init() {}

  /// Revocations came.
  package mutating func add(_ index: RevocationIndex) {
    serial += 1
    recent.append(index)
    remembered += index.count
    while remembered > Limits.rememberedRevocations, let oldest = recent.popFirst() { remembered -= oldest.count }
  }

  /// Judges an access whose verification began at `start`.
  package func judge(_ identity: Identity, since start: UInt64) -> RevocationVerdict {
    let missed = Int(serial - start)
    guard missed <= recent.count else { return .unknown }
    for index in recent.suffix(missed) {
      if let reason = index.reason(for: identity) { return .ended(reason) }
    }
    return .good
  }
}
