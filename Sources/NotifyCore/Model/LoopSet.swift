/// A set of event loops, each named by its number, in one word.
///
/// Loops whose numbers are equal modulo 64 share a place: on a machine with more loops a set may hold a loop too many,
/// never one too few. A loop too many finds no socket of the user.
package struct LoopSet: Hashable, Sendable {
  private var places: UInt64

  package static let none = LoopSet(places: 0)
  package static let all = LoopSet(places: .max)

  private init(places: UInt64) { self.places = places }

  /// The set of one loop.
  package init(loop number: Int) { places = 1 << UInt64(number % 64) }

  package var isEmpty: Bool { places == 0 }

  /// Whether the sets have a loop in common.
  package func intersects(_ other: LoopSet) -> Bool { places & other.places != 0 }

  package mutating func formUnion(_ other: LoopSet) { places |= other.places }
}
