package import NotifyCore

/// The tables of a database that are to be served, each tried.
package struct TableSurvey: Sendable, Equatable {
  /// The tables that can be served.
  package private(set) var served: [TableMapping] = []
  /// The problems of the others.
  package private(set) var problems: [BridgeStatus.TableProblem] = []
  /// What is odd about tables that are served all the same.
  package private(set) var notices: [BridgeStatus.TableProblem] = []
  /// Of served tables, those of which no row can be marked, where that was tried.
  package private(set) var unmarkable: [BridgeStatus.TableProblem] = []
  /// A table that can't be read.
  struct Failure: Sendable, Equatable {
    let number: Int32
    let reason: String
    let sqlstate: String
  }

  /// Those of `problems` that are of a table with a name.
  private(set) var failures: [Failure] = []
  /// The tables for clients. Those with a problem are among them, so that names don't come and go.
  private(set) var catalog = TableCatalog()

  /// Whether there is no table at all.
  package var isEmpty: Bool { served.isEmpty && problems.isEmpty }

  /// Reads `notify_bridge.served` and tries each table.
  package init(_ connection: PGConnection) throws(StoreError) {
    try self.init(connection, marking: true, waitsBriefly: { _ in false }, known: { _ in nil })
  }

  /// Reads `notify_bridge.served` and tries each table.
  ///
  /// - Parameters:
  ///   - marking: whether marking is tried as well. A table whose rows can't be marked is read all the same.
  ///   - waitsBriefly: whether a lock on a table is not waited for as long as usual.
  ///   - known: the problem of a table that is not tried now.
  init(
    _ connection: PGConnection, marking: Bool, waitsBriefly: (_ number: Int32) -> Bool,
    known: (_ number: Int32) -> String?
  ) throws(StoreError) {
    var tables: [TableCatalog.Table] = []
    for row in try connection.query("SELECT \(TableMapping.columns) FROM notify_bridge.served ORDER BY number") {
      guard let table = TableMapping(row: row) else {
        add("table \(row[0] ?? "?") of notify_bridge.source", row[16] ?? "it can't be read")
        continue
      }
      tables.append(
        TableCatalog.Table(
          number: table.number, name: table.relation, recipientKind: table.recipientKind, idKind: table.idKind))
      if let problem = row[16] {
        fail(table, problem, "55000")
      } else if let reason = known(table.number) {
        fail(table, reason, "")
      } else if let error = try connection.probe(table, waitsBriefly: waitsBriefly(table.number)) {
        fail(table, error.description, error.sqlstate)
      } else {
        if let notice = row[17] {
          notices.append(BridgeStatus.TableProblem(table: table.relation, reason: notice))
        }
        if marking, let error = try connection.probe(table, marking: true) {
          unmarkable.append(BridgeStatus.TableProblem(table: table.relation, reason: error.description))
        }
        served.append(table)
      }
    }
    catalog = TableCatalog(tables)
  }

  private mutating func fail(_ table: TableMapping, _ reason: String, _ sqlstate: String) {
    add(table.relation, reason)
    failures.append(Failure(number: table.number, reason: reason, sqlstate: sqlstate))
  }

  private mutating func add(_ table: String, _ reason: String) {
    problems.append(BridgeStatus.TableProblem(table: table, reason: reason))
  }
}
