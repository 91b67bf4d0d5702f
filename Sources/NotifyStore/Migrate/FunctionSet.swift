/// The functions, views and triggers of schema `notify_bridge`, which are replaced all together.
///
/// Each statement is `CREATE OR REPLACE`. The files are applied in the order of their paths whenever their joint checksum
/// is not the installed one. Then ``finish`` drops the functions and views that no file holds any more.
package struct FunctionSet: Sendable, Equatable {
  /// A file of `sql/functions`.
  package struct File: Sendable, Equatable {
    /// Its path in that folder, without the ending.
    package let path: String
    package let sql: String

    package init(path: String, sql: String) {
      self.path = path
      self.sql = sql
    }

    fileprivate init(_ path: String, _ bytes: [UInt8]) {
      self.init(path: path, sql: String(decoding: bytes, as: UTF8.self))
    }
  }

  /// Grows with each change of the files, so that an older program recognises newer functions.
  package let version: Int
  package let files: [File]

  /// SHA-256 of the files one after the other, in hex.
  package var checksum: String { SQLChecksum.of(files.map(\.sql)) }

  package init(version: Int, files: [File]) {
    self.version = version
    self.files = files
  }

  /// Those that the program carries. A test compares this list with the folder `sql/functions`.
  package static let current = FunctionSet(
    version: recorded.version,
    files: [
      File("activity/connection_log", PackageResources.connection_log_sql),
      File("activity/delivery_log", PackageResources.delivery_log_sql),
      File("activity/presence", PackageResources.presence_sql),
      File("activity/recorder", PackageResources.recorder_sql),
      File("attach/allowed", PackageResources.allowed_sql),
      File("attach/attach", PackageResources.attach_sql),
      File("attach/detach", PackageResources.detach_sql),
      File("attach/indexes", PackageResources.indexes_sql),
      File("attach/infer", PackageResources.infer_sql),
      File("attach/payload", PackageResources.payload_sql),
      File("attach/plan", PackageResources.plan_sql),
      File("attach/steps", PackageResources.steps_sql),
      File("doorbell", PackageResources.doorbell_sql),
      File("logins/attach_logins", PackageResources.attach_logins_sql),
      File("logins/login_tables", PackageResources.login_tables_sql),
      File("logins/lookup_credentials", PackageResources.lookup_credentials_sql),
      File("logins/revoke", PackageResources.revoke_sql),
      File("operations", PackageResources.operations_sql),
      File("own_table", PackageResources.own_table_sql),
      File("purge", PackageResources.purge_sql),
      File("quarantine", PackageResources.quarantine_sql),
      File("reading", PackageResources.reading_sql),
      File("renew", PackageResources.renew_sql),
      File("replica", PackageResources.replica_sql),
      File("replication", PackageResources.replication_sql),
      File("reports/report_backlog", PackageResources.report_backlog_sql),
      File("reports/report_buckets", PackageResources.report_buckets_sql),
      File("reports/report_connections", PackageResources.report_connections_sql),
      File("reports/report_deliveries", PackageResources.report_deliveries_sql),
      File("reports/report_latency", PackageResources.report_latency_sql),
      File("reports/report_retention", PackageResources.report_retention_sql),
      File("reports/report_tables", PackageResources.report_tables_sql),
      File("reports/report_users", PackageResources.report_users_sql),
      File("reports/timeline", PackageResources.timeline_sql),
      File("reports/user_rows", PackageResources.user_rows_sql),
      File("rights", PackageResources.rights_sql),
      File("send_test", PackageResources.send_test_sql),
      File("tables", PackageResources.tables_sql),
      File("tickets", PackageResources.tickets_sql),
      File("written_txid", PackageResources.written_txid_sql),
    ])

  /// Runs after the files, in their transaction.
  static let finish = String(decoding: PackageResources.finish_sql, as: UTF8.self)

  /// The version and the checksum in `sql/functions/version.txt`, which `make schema` writes.
  static let recorded: (version: Int, checksum: String) = {
    let words = String(decoding: PackageResources.version_txt, as: UTF8.self).split(whereSeparator: \.isWhitespace)
    return (words.first.flatMap { Int($0) } ?? 0, words.last.map(String.init) ?? "")
  }()
}
