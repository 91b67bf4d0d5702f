import Foundation

/// The rows of a report, as text.
struct ReportTable {
  /// The most characters of a bar.
  static let barWidth = 24

  let columns: [ReportColumn]
  let rows: [[String?]]

  /// Aligned columns below their names. A column without any value is left out.
  ///
  /// - Parameter bars: whether the first number of each row is drawn as well.
  func lines(bars: Bool) -> [String] {
    let shown = columns.indices.filter { index in rows.contains { $0[index] != nil } }
    guard !shown.isEmpty else { return ["no rows"] }
    var cells = [shown.map { columns[$0].name }]
    cells += rows.map { row in shown.map { cell(row[$0], columns[$0]) } }
    let widths = shown.indices.map { place in cells.map { $0[place].count }.max() ?? 0 }
    let drawn = bars ? self.bars() : []
    return cells.enumerated().map { number, line in
      let texts = zip(shown, zip(line, widths)).map { index, cell in
        let space = String(repeating: " ", count: cell.1 - cell.0.count)
        return columns[index].isNumber ? space + cell.0 : cell.0 + space
      }
      let bar = number > 0 && number <= drawn.count ? "  " + drawn[number - 1] : ""
      return (texts.joined(separator: "  ") + bar).trimmingTrailingSpaces()
    }
  }

  /// Comma-separated values (RFC 4180) below the names of the columns; nothing stands for NULL.
  func csvLines() -> [String] {
    [columns.map(\.name)].map { $0.joined(separator: ",") }
      + rows.map { row in row.map { Self.csv($0 ?? "") }.joined(separator: ",") }
  }

  /// The first number of each row as a bar; the longest one stands for the largest number.
  private func bars() -> [String] {
    guard let index = columns.firstIndex(where: \.isNumber) else { return [] }
    let numbers = rows.map { max(0, $0[index].flatMap { Double($0) } ?? 0) }
    guard let largest = numbers.max(), largest > 0 else { return [] }
    return numbers.map { number in
      let eighths = Int((number / largest * Double(Self.barWidth * 8)).rounded(.up))
      let rest = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8]
      return String(repeating: "█", count: eighths / 8) + rest
    }
  }

  private func cell(_ value: String?, _ column: ReportColumn) -> String {
    guard let value else { return "" }
    if let decimals = column.decimals, let number = Double(value) { return String(format: "%.\(decimals)f", number) }
    return TerminalText.escaped(value)
  }

  private static func csv(_ value: String) -> String {
    let isPlain = !value.contains { $0 == "," || $0 == "\"" || $0.isNewline }
    return isPlain ? value : "\"" + value.replacing("\"", with: "\"\"") + "\""
  }
}

extension String {
  fileprivate func trimmingTrailingSpaces() -> String {
    var text = Substring(self)
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
