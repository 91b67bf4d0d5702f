package import NotifyCore

/// A served table: a row of `notify_bridge.served`, with the names of its columns.
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
  /// The time zone of `created` where it is a timestamp without one.
  package let createdZone: String?
  package let read: String?
  package let readAt: String?
  package let hasUniqueID: Bool

  /// The columns that `init(row:)` reads, in its order: among them the table's name where it exists, the problem and the notice.
  static let columns = """
    number, id_column, id_kind, recipient_column, recipient_kind, payload, payload_kind = 'json', payload_column, \
    txid_column, sent_column, sent_at_column, created_column, read_column, read_at_column, has_unique_id, \
    name, problem, notice, created_zone
    """

  init?(row: [String?]) {
    guard row.count == 19, let number = row[0].flatMap({ Int32($0) }), let id = row[1],
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
    createdZone = row[18]
    read = row[12]
    readAt = row[13]
    hasUniqueID = row[14] == "t"
  }

  package static func quoted(_ name: String) -> String { "\"" + name.replacing("\"", with: "\"\"") + "\"" }
}
