/// Which failures are one row's or one table's.
extension StoreError {
  /// Whether the statement failed, and not the connection, where that still stands.
  ///
  /// The SQLSTATE tells no more: a function of the backend may raise any.
  var concernsItems: Bool { code == .server || code == .timeout }

  /// Whether a right or a function of the bridge's schema is missing.
  var lacksRight: Bool { code == .server && ["42501", "42883"].contains(sqlstate) }

  /// Whether the server could not take a parameter: an id that its encoding lacks, or that is no value of the type.
  var concernsParameter: Bool { code == .server && ["22003", "22021", "22P02", "22P05"].contains(sqlstate) }
}
