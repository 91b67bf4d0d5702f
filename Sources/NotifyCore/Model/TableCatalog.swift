/// The tables whose rows are delivered, as clients see them.
package struct TableCatalog: Sendable, Equatable {
  /// One table.
  package struct Table: Sendable, Equatable {
    /// Its number in `notify_bridge.source`.
    package let number: Int32
    /// Its name as SQL has it: `public.notification`.
    package let name: String
    package let recipientKind: ColumnKind
    package let idKind: ColumnKind

    package init(number: Int32, name: String, recipientKind: ColumnKind, idKind: ColumnKind = .integer) {
      self.number = number
      self.name = name
      self.recipientKind = recipientKind
      self.idKind = idKind
    }
  }

  /// In ascending order of their numbers.
  package let tables: [Table]

  package init(_ tables: [Table] = []) {
    self.tables = tables
  }

  /// Whether messages name their table: ids are unique only within one.
  package var isNamed: Bool { tables.count > 1 }

  /// Whether some table's recipients are integers: then a user id that reads as one is a number on the wire.
  package var hasIntegerRecipients: Bool { tables.contains { $0.recipientKind == .integer } }

  /// Whether some table's recipients are uuids.
  package var hasUUIDRecipients: Bool { tables.contains { $0.recipientKind == .uuid } }

  /// Whether some table can hold rows of a user.
  package func canHold(_ user: UserID) -> Bool { tables.contains { user.fits($0.recipientKind) } }

  /// A table's name as a JSON string, where messages name it.
  package func jsonName(of number: Int32) -> String? {
    guard isNamed, let table = tables.first(where: { $0.number == number }) else { return nil }
    return JSONText.string(table.name)
  }

  /// The table with this name; the only table where a client gives no name.
  package func table(named name: String?) -> Table? {
    guard let name else { return tables.count == 1 ? tables[0] : nil }
    return tables.first { $0.name == name }
  }
}
