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
