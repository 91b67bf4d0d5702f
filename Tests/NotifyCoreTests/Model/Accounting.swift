import NotifyCore

/// Accounts for every row at every client, exactly.
enum Accounting {
  static func faults(_ model: Model) -> [String] {
    var faults: [String] = []
    let rows = newest(model.database)
    for (number, client) in model.clients.enumerated() {
      let connections = client.history + (client.connection.map { [$0.received] } ?? [])
      for received in connections {
        faults += self.faults(of: received, to: client.user, rows: rows).map { "client \(number): \($0)" }
      }
      if let connection = client.connection {
        let lacking = connection.owed.subtracting(connection.received).filter { rows[$0] != nil }
        if !lacking.isEmpty { faults.append("client \(number): lacks \(lacking.count) rows unsent when it connected") }
      }
      guard let first = client.firstConnect else { continue }
      let has = Set(connections.joined())
      let missing = rows.values.filter { $0.user == client.user && $0.committed > first && !has.contains($0.key) }
      if !missing.isEmpty { faults.append("client \(number): \(missing.count) rows missing") }
    }
    // Whoever is connected in the end got everything: nothing of a user's may be left unsent.
    let users = Set(model.clients.map(\.user))
    let unsent = rows.values.filter { !$0.isSent && users.contains($0.user) }
    if !unsent.isEmpty { faults.append("\(unsent.count) rows unsent") }
    let received = Set(model.clients.flatMap { $0.history.joined() + ($0.connection?.received ?? []) })
    let ghosts = rows.values.filter { $0.isSent && !received.contains($0.key) }
    if !ghosts.isEmpty { faults.append("\(ghosts.count) rows marked that nobody got") }
    return faults
  }

  /// What is wrong with the rows that one connection received, whatever others did.
  static func faults(of received: [RowKey], to user: UserID, in database: ModelDatabase) -> [String] {
    faults(of: received, to: user, rows: newest(database))
  }

  private static func faults(
    of received: [RowKey], to user: UserID, rows: [RowKey: ModelDatabase.Row]
  ) -> [String] {
    var faults: [String] = []
    if Set(received).count != received.count { faults.append("twice on a connection") }
    var newestBegin = 0
    for key in received {
      guard let row = rows[key] else {
        faults.append("a row that was rolled back")
        continue
      }
      if row.user != user { faults.append("another user's row") }
      // `began` counts the commits before the transaction began, `committed` includes the row's own.
      if newestBegin >= row.committed { faults.append("a row after one that began later") }
      newestBegin = max(newestBegin, row.began)
    }
    return faults
  }

  /// A key is that of the newest row: ids of rolled-back rows may have been used again.
  private static func newest(_ database: ModelDatabase) -> [RowKey: ModelDatabase.Row] {
    Dictionary(database.rows.map { ($0.key, $0) }) { $1 }
  }
}
