/// Finds the known name that is most like another.
enum NearestName {
  /// The known name that takes the fewest changes; nil where none is known.
  static func nearest(to name: String, among known: [String]) -> String? {
    known.map { (name: $0, distance: distance(name, $0)) }.min { $0.distance < $1.distance }?.name
  }

  /// The number of letters to insert, remove, change or swap with their neighbour, regardless of case
  /// (optimal string alignment).
  static func distance(_ left: String, _ right: String) -> Int {
    let left = Array(left.lowercased().utf8.prefix(100)), right = Array(right.lowercased().utf8.prefix(100))
    var beforeLast: [Int] = []
    var last = Array(0...right.count)
    for i in 0..<left.count {
      var row = [i + 1]
      for j in 0..<right.count {
        let change = last[j] + (left[i] == right[j] ? 0 : 1)
        var cost = min(change, last[j + 1] + 1, row[j] + 1)
        if i > 0, j > 0, left[i] == right[j - 1], left[i - 1] == right[j] { cost = min(cost, beforeLast[j - 1] + 1) }
        row.append(cost)
      }
      (beforeLast, last) = (last, row)
    }
    return last[right.count]
  }
}
