internal import CNotifyStore
internal import Foundation
package import NotifyCore

/// A row of `notify_bridge.served`: a table and what its columns are called.
package struct TableMapping: Sendable, Equatable {
  package let number: Int32
  /// Schema and table as SQL has it.
  package let relation: String
  package let id: String
  package let idKind: ColumnKind
  package let recipient: String
  package let recipientKind: ColumnKind
  /// An SQL expression over the row's columns.
  package let payload: String
  package let isJSON: Bool
  package let payloadColumn: String?
  package let txid: String
  package let sent: String?
  package let sentAt: String
  package let created: String?
  package let read: String?
  package let readAt: String?
  package let hasUniqueID: Bool

  /// The columns that `init(row:)` reads, in its order; then the table's name where it was not dropped, and the problem.
  private static let columns = """
    number, id_column, id_kind, recipient_column, recipient_kind, payload, payload_kind = 'json', payload_column, \
    txid_column, sent_column, sent_at_column, created_column, read_column, read_at_column, has_unique_id, \
    name, problem
    """

  private init?(row: [String?]) {
    guard row.count == 17, let number = row[0].flatMap({ Int32($0) }), let id = row[1],
      let idKind = row[2].flatMap({ ColumnKind(rawValue: $0) }), let recipient = row[3],
      let recipientKind = row[4].flatMap({ ColumnKind(rawValue: $0) }), let payload = row[5], let txid = row[8],
      let sentAt = row[10], let relation = row[15]
    else { return nil }
    self.number = number
    self.relation = relation
    self.id = id
    self.idKind = idKind
    self.recipient = recipient
    self.recipientKind = recipientKind
    self.payload = payload
    isJSON = row[6] == "t"
    payloadColumn = row[7]
    self.txid = txid
    sent = row[9]
    self.sentAt = sentAt
    created = row[11]
    read = row[12]
    readAt = row[13]
    hasUniqueID = row[14] == "t"
  }

  /// What a database serves.
  package struct Listing: Sendable, Equatable {
    /// The tables that can be served.
    package var served: [TableMapping] = []
    /// What is wrong with the others, one line for each.
    package var problems: [String] = []
    /// Tables of which some row's payload can't be made.
    var failing: Set<Int32> = []
    /// Whether there is any table at all.
    package var isEmpty: Bool { served.isEmpty && problems.isEmpty }

    /// What clients are told: also of tables with a problem, so that names don't come and go.
    var list = TableCatalog()
  }

  /// Reads which tables are served, and tries each.
  ///
  /// - Parameter suspects: whether the payloads of a table are to be tried too, which reads all of its rows.
  package static func read(
    _ connection: PGConnection, suspects: (_ number: Int32) -> Bool = { _ in false }
  ) throws(StoreError) -> Listing {
    var listing = Listing()
    var told: [TableCatalog.Source] = []
    for row in try connection.query("SELECT \(columns) FROM notify_bridge.served ORDER BY number") {
      guard let source = TableMapping(row: row) else {
        listing.problems.append(
          "table \(row[0] ?? "?") of notify_bridge.source: \((row.last ?? nil) ?? "it can't be read")")
        continue
      }
      told.append(
        TableCatalog.Source(number: source.number, name: source.relation, recipientKind: source.recipientKind))
      if let problem = row[16] {
        listing.problems.append("\(source.relation): \(problem)")
      } else if let problem = try source.probe(connection) {
        listing.problems.append("\(source.relation): \(problem)")
      } else if suspects(source.number), let problem = try source.tryPayloads(connection) {
        listing.problems.append("\(source.relation): \(problem)")
        listing.failing.insert(source.number)
      } else {
        listing.served.append(source)
      }
    }
    listing.list = TableCatalog(told)
    return listing
  }

  /// Makes the payload of each row: one that can't be made fails every statement that meets it.
  private func tryPayloads(_ connection: PGConnection) throws(StoreError) -> String? {
    do throws(StoreError) {
      try connection.query(
        "SELECT count((\(payload)\n)::text) FROM \(relation) AS n WHERE \(quoted(txid)) IS NOT NULL",
        timeout: Limits.scanTimeout)
      return nil
    } catch {
      guard error.concernsValue, connection.isConnected else { throw error }
      return "\(error.loggable): correct the row, or attach the table with another payload"
    }
  }

  private func quoted(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }

  /// Reads no row of it, in all the ways in which rows are read.
  ///
  /// - Returns: what is wrong with it, or nil.
  private func probe(_ connection: PGConnection) throws(StoreError) -> String? {
    var strings = CStrings()
    defer { strings.free() }
    let status = notify_store_probe(connection.pointer, [strings.source(self)], Duration.seconds(5).milliseconds)
    do throws(StoreError) {
      try connection.check(status)
      return nil
    } catch {
      guard error.code == .server, connection.isConnected else { throw error }
      return error.description
    }
  }
}

/// Copies of strings for a call into C; give them back with `free()`.
struct CStrings {
  private var copies: [UnsafeMutablePointer<CChar>] = []

  func free() {
    for copy in copies { Foundation.free(copy) }
  }

  mutating func copy(_ text: String?) -> UnsafePointer<CChar>? {
    guard let text, let copy = strdup(text) else { return nil }
    copies.append(copy)
    return UnsafePointer(copy)
  }

  /// Integers have no text.
  mutating func id(_ id: RowID) -> notify_store_id {
    switch id {
    case .integer(let number): notify_store_id(number: number, text: nil)
    case .text(let text): notify_store_id(number: 0, text: copy(text))
    }
  }

  mutating func source(_ source: TableMapping) -> notify_store_source {
    notify_store_source(
      number: source.number, relation: copy(source.relation), id: copy(source.id), recipient: copy(source.recipient),
      txid: copy(source.txid), sent_at: copy(source.sentAt), sent: copy(source.sent), created: copy(source.created),
      read: copy(source.read), read_at: copy(source.readAt), payload: copy(source.payload), is_json: source.isJSON,
      payload_column: copy(source.payloadColumn), id_kind: source.idKind.c, recipient_kind: source.recipientKind.c,
      has_unique_id: source.hasUniqueID)
  }
}

extension ColumnKind {
  fileprivate var c: notify_store_kind {
    switch self {
    case .integer: NOTIFY_STORE_KIND_INTEGER
    case .uuid: NOTIFY_STORE_KIND_UUID
    case .text: NOTIFY_STORE_KIND_TEXT
    }
  }
}
