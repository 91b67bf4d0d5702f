internal import Foundation

/// A schema file that the program carries. It is applied once, by its number.
package struct Migration: Sendable, Equatable {
  /// The number at the start of the file's name; schema files are applied in this order, without gaps.
  package let version: Int
  /// The rest of the file's name.
  package let name: String
  /// The statements, which run in one transaction.
  package let sql: String

  /// SHA-256 of the text, in hex.
  package var checksum: String { SQLChecksum.of([sql]) }

  /// `0001_initial`.
  package var title: String { String(format: "%04d_%@", version, name) }

  /// All of them. A test compares this list with the folder `sql/schema`.
  package static let all: [Migration] = [
    Migration(1, "initial", PackageResources._001_initial_sql),
    Migration(2, "activity", PackageResources._002_activity_sql),
  ]

  package init(version: Int, name: String, sql: String) {
    self.version = version
    self.name = name
    self.sql = sql
  }

  private init(_ version: Int, _ name: String, _ bytes: [UInt8]) {
    self.init(version: version, name: name, sql: String(decoding: bytes, as: UTF8.self))
  }
}
