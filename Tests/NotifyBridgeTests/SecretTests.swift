import Foundation
import NotifyCore
import Testing

@testable import notify_bridge

@Suite("Secrets")
struct SecretTests {
  /// A file that is gone after the test.
  final class File {
    let path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path

    init(_ text: String) { _ = FileManager.default.createFile(atPath: path, contents: Data(text.utf8)) }

    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  @Test("may stand in a file, whose last newline is none of theirs")
  func file() throws {
    let file = File("hunter2 \n")
    let environment = ["NOTIFY_BRIDGE_AUTH_JWT_SECRET_FILE": file.path]
    let settings = try resolve(environment: environment, secrets: [\.jwt.secret])
    #expect(settings.jwt.secret?.exposed == "hunter2 ")
  }

  @Test("of a file are read only by commands that need them")
  func unused() throws {
    let environment = ["NOTIFY_BRIDGE_AUTH_JWT_SECRET_FILE": "/nowhere"]
    #expect(try resolve(environment: environment).jwt.secret == nil)
    let found = problems(environment: environment, secrets: [\.jwt.secret])
    #expect(found.first?.contains("there is no such file") == true)
  }

  @Test("given twice are refused, and the stronger source wins")
  func twice() throws {
    let file = File("from the file")
    let both = ["DATABASE_URL": "a", "DATABASE_URL_FILE": file.path]
    #expect(problems(environment: both, secrets: [\.databaseURL]).first?.contains("keep one") == true)
    let flag = try resolve(
      flags: ["database.url_file": file.path], environment: ["DATABASE_URL": "a"], secrets: [\.databaseURL])
    #expect(flag.databaseURL?.exposed == "from the file")
    let direct = try resolve(
      flags: ["database.url": "b"], environment: ["DATABASE_URL_FILE": file.path], secrets: [\.databaseURL])
    #expect(direct.databaseURL?.exposed == "b")
  }

  @Test("in an empty file are refused")
  func empty() {
    let file = File("\n")
    #expect(problems(environment: ["DATABASE_URL_FILE": file.path], secrets: [\.databaseURL]).count == 1)
  }

  @Test("that can't be used are not shown")
  func redacted() {
    let found = problems(environment: ["NOTIFY_BRIDGE_AUTH_JWT_SECRET": "hunter2\0"])
    #expect(found.count == 1)
    #expect(found.first?.contains("hunter2") == false)
  }

  @Test("of a database's URL are not shown")
  func databaseURL() throws {
    let settings = try resolve(environment: ["DATABASE_URL": "postgresql://me:hunter2@host:port/x?nonsense=1"])
    let error = #expect(throws: ConfigurationError.self) { try Database.url(settings) }
    #expect(error?.description.contains("DATABASE_URL") == true)
    #expect(error?.description.contains("hunter2") == false)
  }
}
