/// Which failures are one row's or one table's.
extension StoreError {
  /// Whether the statement failed, and not the connection, where that still stands.
  ///
  /// The SQLSTATE tells no more: a function of the backend may raise any.
  var concernsItems: Bool { code == .server || code == .timeout }

  /// Whether a right or a function of the bridge's schema is missing.
  var lacksRight: Bool { code == .server && ["42501", "42883"].contains(sqlstate) }
}
