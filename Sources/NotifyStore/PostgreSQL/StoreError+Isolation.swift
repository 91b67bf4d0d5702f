/// Which failures are one row's or one table's.
extension StoreError {
  /// Whether the statement failed, and not the connection, where that still stands.
  ///
  /// The SQLSTATE tells no more: a function of the backend may raise any.
  var concernsItems: Bool { code == .server || code == .timeout }

  /// Whether the database's encoding lacks a character: of a parameter, or for a client in UTF-8.
  var concernsEncoding: Bool { code == .server && ["22021", "22P05"].contains(sqlstate) }

  /// Whether a right or a function of the bridge's schema is missing.
  var lacksRight: Bool { code == .server && ["42501", "42883"].contains(sqlstate) }
}
