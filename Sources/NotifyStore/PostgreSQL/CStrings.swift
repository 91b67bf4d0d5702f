internal import CNotifyStore
internal import Foundation
internal import NotifyCore

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

  mutating func mapping(_ table: TableMapping) -> notify_store_source {
    notify_store_source(
      number: table.number, relation: copy(table.relation), id: copy(table.id), recipient: copy(table.recipient),
      txid: copy(table.txid), sent_at: copy(table.sentAt), sent: copy(table.sent), created: copy(table.created),
      created_zone: copy(table.createdZone), read: copy(table.read), read_at: copy(table.readAt),
      payload: copy(table.payload), is_json: table.isJSON,
      payload_column: copy(table.payloadColumn), id_kind: table.idKind.c, recipient_kind: table.recipientKind.c,
      has_unique_id: table.hasUniqueID)
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
