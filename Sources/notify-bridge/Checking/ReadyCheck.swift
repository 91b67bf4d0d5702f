import AsyncHTTPClient
import Foundation
import NIOCore
import NIOHTTP1
import NIOSSL

/// Queries a running bridge for its readiness.
struct ReadyCheck {
  /// The body of `/readyz`.
  struct Answer: Decodable {
    struct Part: Decodable {
      let part: String
      let reason: String
    }
    let failing: [Part]?
  }

  /// The bridge's address.
  let address: BridgeAddress

  /// The failing parts; nothing where the bridge is ready.
  ///
  /// - Throws: a failure where no bridge answers.
  func failing() async throws -> [String] {
    var tls = TLSConfiguration.makeClientConfiguration()
    // The certificate is for the bridge's public name; this connection goes to loopback.
    if address.isOwn { tls.certificateVerification = .none }
    var configuration = HTTPClient.Configuration(
      tlsConfiguration: tls, timeout: .init(connect: .seconds(2), read: .seconds(3)))
    configuration.redirectConfiguration = .disallow
    let client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
    do {
      let response = try await client.execute(
        HTTPClientRequest(url: address.http("/readyz")), deadline: .now() + .seconds(4))
      let body = Data(try await response.body.collect(upTo: 64 << 10).readableBytesView)
      try await client.shutdown()
      if response.status == .ok { return [] }
      return Self.parts(body) ?? ["answered with HTTP status \(response.status.code)"]
    } catch {
      try? await client.shutdown()
      throw Failure(
        "no bridge answers at \(address.http("/readyz"))", remedy: "Is it running, and is --url right?")
    }
  }

  private static func parts(_ body: Data) -> [String]? {
    guard let failing = try? JSONDecoder().decode(Answer.self, from: body).failing, !failing.isEmpty else { return nil }
    return failing.map { TerminalText.escaped("\($0.part): \($0.reason)") }
  }
}
