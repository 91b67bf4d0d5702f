/// What a step of the model may meet.
enum Accident: Hashable, CaseIterable {
  /// A socket is cut in the middle of what is written to it.
  case cut
  /// A client forgets its cursor.
  case forgetCursor
  /// A delta is given up in the middle.
  case giveUp
  case crash, kill, rollback
}

/// The choices within a step: those of a seed, or all of them, one after the other.
struct Chance {
  private enum Source {
    case seed(SeededGenerator)
    /// The choices to take again; all that follow are the first option.
    case script([Int])
  }

  private var source: Source
  /// The accidents that may still happen, where all choices are tried.
  private(set) var left: [Accident: Int] = [:]
  /// What was chosen by a script, of how many options.
  private var made: [(taken: Int, options: Int)] = []

  /// The choices of a seed, without a limit.
  init(seed: UInt64) { source = .seed(SeededGenerator(seed: seed)) }

  /// All choices, with so many accidents at most.
  init(accidents: [Accident: Int]) {
    source = .script([])
    left = accidents
  }

  /// A number below `options`.
  mutating func pick(_ options: Int) -> Int {
    switch source {
    case .seed(var generator):
      let number = Int.random(in: 0..<options, using: &generator)
      source = .seed(generator)
      return number
    case .script(let script):
      let taken = made.count < script.count ? script[made.count] : 0
      made.append((taken, options))
      return taken
    }
  }

  /// Whether an accident happens: by a seed in some of so many cases.
  mutating func happens(_ accident: Accident, _ some: Int, of many: Int) -> Bool {
    guard case .script = source else { return pick(many) < some }
    guard left[accident, default: 0] > 0, pick(2) == 1 else { return false }
    take(accident)
    return true
  }

  mutating func take(_ accident: Accident) { left[accident, default: 0] -= 1 }

  /// Begins a step with a script.
  mutating func follow(_ script: [Int]) {
    source = .script(script)
    made = []
  }

  /// The script of the next variant of the step that was made; nil after the last one.
  var nextScript: [Int]? {
    guard let last = made.lastIndex(where: { $0.taken + 1 < $0.options }) else { return nil }
    return made[..<last].map(\.taken) + [made[last].taken + 1]
  }
}
