import Testing

@testable import notify_bridge

@Suite("dev")
struct DevTests {
  @Test(
    "dev refuses to listen beyond loopback",
    arguments: ["0.0.0.0", "::", "192.0.2.1", "example.com", "unix:/x", "127.0.0.1.example"])
  func foreign(host: String) throws {
    let settings = try resolve(flags: ["http.host": host])
    #expect(throws: ConfigurationError.self) { try DevCommand.requireLoopback(settings) }
  }

  @Test(
    "dev listens on loopback by any of its names", arguments: ["127.0.0.1", "127.0.0.2", "::1", "[::1]", "localhost"])
  func loopback(host: String) throws { try DevCommand.requireLoopback(resolve(flags: ["http.host": host])) }
}
