import Foundation
internal import NotifyCrypto

/// A migration that the program carries.
package struct Migration: Sendable, Equatable {
  /// The number at the start of the file's name; migrations are applied in this order, without gaps.
  package let version: Int
  /// The rest of the file's name.
  package let name: String
  /// What is run, in one transaction.
  package let sql: String

  /// SHA-256 of the text, in hex.
  package var checksum: String {
    HashFunction.sha256.digest(sql.utf8).map { String(format: "%02x", $0) }.joined()
  }

  /// `0001_schema`.
  package var title: String { String(format: "%04d_%@", version, name) }

  /// All of them. A test holds this list against the folder `sql/migrations`.
  package static let all: [Migration] = [
    Migration(1, "schema", PackageResources._001_schema_sql),
    Migration(2, "replica", PackageResources._002_replica_sql),
    Migration(3, "doorbell", PackageResources._003_doorbell_sql),
    Migration(4, "notification", PackageResources._004_notification_sql),
    Migration(5, "operations", PackageResources._005_operations_sql),
    Migration(6, "sources", PackageResources._006_sources_sql),
    Migration(7, "attach", PackageResources._007_attach_sql),
    Migration(8, "logins", PackageResources._008_logins_sql),
    Migration(9, "bell", PackageResources._009_bell_sql),
  ]

  private init(_ version: Int, _ name: String, _ bytes: [UInt8]) {
    self.version = version
    self.name = name
    self.sql = String(decoding: bytes, as: UTF8.self)
  }
}
