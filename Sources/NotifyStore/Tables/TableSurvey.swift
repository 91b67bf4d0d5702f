package import NotifyCore

/// The tables of a database that are to be served, each tried.
package struct TableSurvey: Sendable, Equatable {
  /// The tables that can be served.
  package private(set) var served: [TableMapping] = []
  /// The problems of the others.
  package private(set) var problems: [BridgeStatus.TableProblem] = []
  /// The tables for clients. Those with a problem are among them, so that names don't come and go.
  private(set) var catalog = TableCatalog()

  /// Whether there is no table at all.
  package var isEmpty: Bool { served.isEmpty && problems.isEmpty }

  /// Reads `notify_bridge.served` and tries each table.
  package init(_ connection: PGConnection) throws(StoreError) {
    var tables: [TableCatalog.Table] = []
    for row in try connection.query("SELECT \(TableMapping.columns) FROM notify_bridge.served ORDER BY number") {
      guard let table = TableMapping(row: row) else {
        add("table \(row[0] ?? "?") of notify_bridge.source", (row.last ?? nil) ?? "it can't be read")
        continue
      }
      tables.append(
        TableCatalog.Table(number: table.number, name: table.relation, recipientKind: table.recipientKind))
      if let problem = row[16] {
        add(table.relation, problem)
      } else if let problem = try connection.probe(table) {
        add(table.relation, problem)
      } else {
        served.append(table)
      }
    }
    catalog = TableCatalog(tables)
  }
  private mutating func add(_ table: String, _ reason: String) {
    problems.append(BridgeStatus.TableProblem(table: table, reason: reason))
  }
}
