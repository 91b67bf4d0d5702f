import Foundation

/// What each benchmark may cost at most.
struct Thresholds: Sendable {
  /// A figure that has a threshold.
  enum Figure: String, CaseIterable, Sendable {
    case allocations, writes, held

    /// How far a threshold may lie above what is measured, in units of the figure, however small that is.
    var slack: Double {
      switch self {
      case .allocations, .writes: 1
      case .held: 512
      }
    }

    func value(in cost: Cost) -> Double? {
      switch self {
      case .allocations: cost.allocations
      case .writes: cost.writes > 0 ? cost.writes : nil
      case .held: cost.held
      }
    }
  }

  private let allowed: [String: [String: Double]]

  init(file: String) throws {
    do {
      allowed = try JSONDecoder().decode([String: [String: Double]].self, from: Data(contentsOf: URL(filePath: file)))
    } catch {
      throw Failure(description: "can't read \(file): run this in the repository's root, or give --thresholds FILE")
    }
  }

  /// Thresholds that lie a little above what was measured.
  init(allowing results: [Result]) {
    allowed = Dictionary(
      uniqueKeysWithValues: results.map { result in
        var figures: [String: Double] = [:]
        for figure in Figure.allCases {
          guard let value = figure.value(in: result.cost) else { continue }
          figures[figure.rawValue] =
            switch figure {
            case .allocations: value < 0.001 ? 0 : (value * 1.05 + 0.005).rounded(to: 2)
            // One flush is one flush.
            case .writes: value.rounded(to: 2)
            case .held: (value * 1.15).rounded()
            }
        }
        return (result.name, figures)
      })
  }

  func write(to file: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    var data = try encoder.encode(allowed)
    data.append(UInt8(ascii: "\n"))
    try data.write(to: URL(filePath: file))
  }

  /// What is wrong, one line each.
  func complaints(about results: [Result]) -> [String] {
    var complaints: [String] = []
    for result in results {
      guard let figures = allowed[result.name] else {
        complaints.append("\(result.name) has no threshold")
        continue
      }
      for figure in Figure.allCases {
        guard let value = figure.value(in: result.cost)?.rounded(to: 3) else { continue }
        guard let limit = figures[figure.rawValue] else {
          complaints.append("\(result.name) has no threshold for \(figure)")
          continue
        }
        let figures = "\(result.name): \(value) \(figure) per \(result.unit), the threshold is \(limit)"
        if value > limit { complaints.append(figures) }
        if limit > value * 1.2, limit - value > figure.slack {
          complaints.append("\(figures): so far above that it guards nothing any more")
        }
      }
    }
    for name in allowed.keys.sorted() where !results.contains(where: { $0.name == name }) {
      complaints.append("\(name) has a threshold, but there is no such benchmark")
    }
    return complaints
  }
}
