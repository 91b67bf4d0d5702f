internal import NotifyCore

/// Reads rows by their keys, in the order of the keys, and passes over those that can't be read.
///
/// The server makes the rows one after the other, each just before it is sent, so a statement that fails fails because of
/// the first key that has no answer. The keys after it are read by another statement. A value; it uses its connection alone
/// until it has ended. (`Documentation/database.md`, "Quarantine")
struct KeyedRows {
  /// The answer to a key.
  enum Answer {
    /// `user` and `createdAt` as in `PGConnection.Item.row`; the bytes live until the next call.
    case found(user: UserID?, createdAt: Int64?, data: UnsafeRawBufferPointer)
    /// It was deleted or sent again since its key was read.
    case gone
    case failed(sqlstate: String)
  }

  /// The SQLSTATE of a statement that was given up.
  private static let cancelled = "57014"

  private let connection: PGConnection
  private let tables: [TableMapping]
  private let keys: [RowKey]
  private let timeout: Duration
  /// The first key of the statement under way; nil where there is none.
  private var first: Int?
  /// Keys that have their answer.
  private var answered = 0
  /// The key whose failure may pass, and which is tried once more.
  private var retried: Int?

  /// - Parameters:
  ///   - tables: the tables that the connection serves.
  ///   - timeout: of each row.
  init(_ keys: [RowKey], _ connection: PGConnection, of tables: [TableMapping], timeout: Duration) {
    self.keys = keys
    self.timeout = timeout
    self.connection = connection
    self.tables = tables
  }

  /// The answer to the next key; nil after the last one.
  ///
  /// - Throws: what concerns more than one row: the connection, or a table that can't be read any more.
  mutating func next() throws(StoreError) -> (index: Int, row: Answer)? {
    while answered < keys.count {
      let first: Int
      if let current = self.first {
        first = current
      } else {
        first = answered
        try connection.rows(keys[first...], timeout: timeout)
        self.first = first
      }
      do throws(StoreError) {
        let item = try connection.next()
        defer { answered += 1 }
        switch item {
        case .row(_, _, let user, let createdAt, let data):
          return (answered, .found(user: user, createdAt: createdAt, data: data))
        case .gone: return (answered, .gone)
        case .unreadable(_, _, let sqlstate): return (answered, .failed(sqlstate: sqlstate))
        case .snapshot, .request, .unsent, .revocation, nil:
          throw StoreError(.badAnswer, message: "rows by their keys with an item of another stream")
        }
      } catch {
        self.first = nil
        guard error.concernsStatement, connection.isConnected else { throw error }
        let sqlstate = error.code == .timeout ? Self.cancelled : error.sqlstate
        if first == answered {
          try checkTable(error)
        } else if sqlstate == Self.cancelled {
          // Rows may have waited in the server for those behind them: only the first one's time is its own.
          continue
        }
        if error.isRetriable, sqlstate != Self.cancelled, retried != answered {
          retried = answered
          continue
        }
        defer { answered += 1 }
        return (answered, .failed(sqlstate: sqlstate))
      }
    }
    // The statement's end, where the last one came to it.
    if first != nil { _ = try connection.next() }
    return nil
  }

  /// Without any row before it, a failure may be the table's.
  private func checkTable(_ failure: StoreError) throws(StoreError) {
    let number = keys[answered].row.table
    if let table = tables.first(where: { $0.number == number }), try connection.probe(table, waitsBriefly: true) == nil
    {
      return
    }
    throw failure
  }
}
