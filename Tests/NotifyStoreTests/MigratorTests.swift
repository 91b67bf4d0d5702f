import Foundation
import NotifyCore
import Testing

@testable import NotifyStore

@Suite("The migrations")
struct MigratorTests {
  let cluster: TestCluster

  init() throws { cluster = try TestCluster() }

  @Test("carried in the binary are those of the folder, in order and without gaps")
  func complete() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appending(path: "sql/migrations")
    let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
    #expect(Migration.all.map { $0.title + ".sql" } == files)
    #expect(Migration.all.map(\.version) == Array(1...files.count))
    for migration in Migration.all {
      let text = try String(contentsOf: folder.appending(path: migration.title + ".sql"), encoding: .utf8)
      #expect(migration.sql == text)
    }
  }

  @Test("are each applied once, whoever else migrates at the same time")
  func concurrent() async throws {
    try cluster.connect().query("CREATE DATABASE concurrent")
    let url = cluster.url.exposed.replacing(/\/postgres$/, with: "/concurrent")
    let applied = try await withThrowingTaskGroup(of: Int.self) { group in
      for _ in 0..<6 {
        group.addTask {
          let connection = try PGConnection.connect(url: .init(url), applicationName: "test", timeout: .seconds(10))
          return try Migrator(connection).apply().count
        }
      }
      return try await group.reduce(into: []) { $0.append($1) }
    }
    #expect(applied.sorted() == [0, 0, 0, 0, 0, Migration.all.count])
  }

  @Test("say what would be applied without applying it, and verify what is there")
  func dryRun() throws {
    let connection = try cluster.connect()
    let migrator = Migrator(connection)
    #expect(throws: StoreError.self) { try migrator.verify() }
    #expect(try migrator.apply(dryRun: true).count == Migration.all.count)
    #expect(try migrator.status().allSatisfy { $0.appliedAt == nil })
    _ = try migrator.apply()
    try migrator.verify()
    #expect(try migrator.apply(dryRun: true).isEmpty)
  }

  @Test("refuse a newer schema, and one that was applied with another text")
  func foreignSchemas() throws {
    let connection = try cluster.connect()
    _ = try Migrator(connection).apply()
    try connection.query(
      "INSERT INTO notify_bridge.migration (version, name, checksum) VALUES (9999, 'later', 'x')")
    let newer = #expect(throws: StoreError.self) { try Migrator(connection).verify() }
    #expect(newer?.code == .schema && newer?.message.contains("newer") == true && newer?.hint.isEmpty == false)
    try connection.query("DELETE FROM notify_bridge.migration WHERE version = 9999")
    try connection.query("UPDATE notify_bridge.migration SET checksum = 'x' WHERE version = 1")
    let changed = #expect(throws: StoreError.self) { _ = try Migrator(connection).apply() }
    #expect(changed?.code == .schema && changed?.message.contains("0001_schema") == true)
  }

  @Test("leave nothing behind when one fails")
  func failing() throws {
    let connection = try cluster.connect()
    try connection.query("CREATE SCHEMA notify_bridge; CREATE TABLE notify_bridge.replica (id integer)")
    let error = #expect(throws: StoreError.self) { _ = try Migrator(connection).apply() }
    #expect(error?.message.contains("0002_replica") == true && error?.sqlstate == "42P07")
    try connection.query("DROP TABLE notify_bridge.replica")
    #expect(try Migrator(connection).apply().count == Migration.all.count - 1)
  }
}
