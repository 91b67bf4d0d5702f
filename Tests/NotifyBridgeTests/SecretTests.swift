import Foundation
import NotifyAuth
import NotifyCore
import TestSupport
import Testing

@testable import notify_bridge

@Suite("Secrets")
struct SecretTests {
  @Test("A secret can stand in a file, whose last newline is not part of it")
  func file() async throws {
    try await TemporaryFile.with("hunter2 \n") { path in
      let environment = ["NOTIFY_BRIDGE_AUTH_JWT_SECRET_FILE": path]
      let settings = try resolve(environment: environment, secrets: [\.jwt.secret])
      #expect(settings.jwt.secret?.exposed == "hunter2 ")
    }
  }

  @Test("Only commands that need a secret read its file")
  func unused() throws {
    let environment = ["NOTIFY_BRIDGE_AUTH_JWT_SECRET_FILE": "/nowhere"]
    #expect(try resolve(environment: environment).jwt.secret == nil)
    let found = problems(environment: environment, secrets: [\.jwt.secret])
    #expect(found.first?.contains("there is no such file") == true)
  }

  @Test("A secret given twice is refused, and the stronger source wins")
  func twice() async throws {
    try await TemporaryFile.with("from the file") { path in
      let both = ["DATABASE_URL": "a", "DATABASE_URL_FILE": path]
      #expect(problems(environment: both, secrets: [\.databaseURL]).first?.contains("keep one") == true)
      let flag = try resolve(
        flags: ["database.url_file": path], environment: ["DATABASE_URL": "a"], secrets: [\.databaseURL])
      #expect(flag.databaseURL?.exposed == "from the file")
      let direct = try resolve(
        flags: ["database.url": "b"], environment: ["DATABASE_URL_FILE": path], secrets: [\.databaseURL])
      #expect(direct.databaseURL?.exposed == "b")
    }
  }

  @Test("An empty file is refused as a secret")
  func empty() async throws {
    try await TemporaryFile.with("\n") { path in
      #expect(problems(environment: ["DATABASE_URL_FILE": path], secrets: [\.databaseURL]).count == 1)
    }
  }

  @Test("The error of an invalid secret does not show it")
  func redacted() {
    let found = problems(environment: ["NOTIFY_BRIDGE_AUTH_JWT_SECRET": "hunter2\0"])
    #expect(found.count == 1)
    #expect(found.first?.contains("hunter2") == false)
  }

  @Test("The error of an invalid database URL does not show its password")
  func databaseURL() throws {
    let settings = try resolve(environment: ["DATABASE_URL": "postgresql://me:hunter2@host:port/x?nonsense=1"])
    let error = #expect(throws: ConfigurationError.self) { try Database.url(settings) }
    #expect(error?.description.contains("DATABASE_URL") == true)
    #expect(error?.description.contains("hunter2") == false)
  }
}
