import Foundation
import NotifyHTTPClient

/// Queries a running bridge for its readiness and its life.
struct ReadyCheck {
  /// The body of `/readyz`.
  struct Readiness: Decodable {
    struct Part: Decodable {
      let part: String
      let table: String?
      let reason: String?
    }
    let failing: [Part]?
  }

  /// The bridge's address.
  let address: BridgeAddress

  /// The failing parts; nothing where the bridge is ready.
  ///
  /// - Throws: a failure where no bridge answers.
  func failing() async throws -> [String] {
    let response = try await get("/readyz")
    if response.status == 200 { return [] }
    return Self.parts(Data(response.body)) ?? ["answered with HTTP status \(response.status)"]
  }

  /// - Throws: a failure where no bridge answers, or one that does not live.
  func requireLife() async throws {
    let response = try await get("/healthz")
    guard response.status == 200 else {
      throw CommandFailure("\(address.http("/healthz")) answered with HTTP status \(response.status)")
    }
  }

  private func get(_ path: String) async throws -> HTTPGet.Response {
    let address = address.http(path)
    do throws(HTTPGetError) {
      guard let url = URL(string: address) else { throw .invalidURL }
      return try await HTTPGet(
        url, maximumBytes: 64 << 10, timeout: .seconds(4), userAgent: "notify-bridge/\(Version.number)",
        // The certificate is for the bridge's public name; this connection goes to loopback.
        verifiesCertificate: !self.address.isOwn
      ).response()
    } catch {
      throw CommandFailure("no bridge answers at \(address)", remedy: "Is it running, and is --url right?")
    }
  }

  private static func parts(_ body: Data) -> [String]? {
    guard let failing = try? JSONDecoder().decode(Readiness.self, from: body).failing, !failing.isEmpty else {
      return nil
    }
    return failing.map { part in
      TerminalText.escaped([part.part, part.table, part.reason].compactMap { $0 }.joined(separator: ": "))
    }
  }
}
