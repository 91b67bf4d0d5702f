/// The history of the database that pending rows belong to: in another one their ids may name other rows. A value.
struct MarkHistory: Sendable, Equatable {
  /// How a generation relates to the newest one seen.
  enum Transition: Sendable, Equatable {
    case same
    /// Rows reported before belong to an older history.
    case newer
    /// Rows of this generation belong to an older history.
    case older
  }

  /// The newest generation seen.
  private(set) var newest: GenerationFence.Generation?

  /// - Parameter next: nil before the first session: no row can be of an older history.
  mutating func move(to next: GenerationFence.Generation?) -> Transition {
    guard let next else { return .same }
    guard let known = newest else {
      newest = next
      return .same
    }
    if next.number < known.number { return next.epoch == known.epoch ? .same : .older }
    newest = next
    return next.epoch == known.epoch ? .same : .newer
  }
}
