import NotifyCore
import Testing

@testable import NotifyGateway

@Suite("Revoked access closes sockets", .timeLimit(.minutes(1)))
struct RevocationTests {
  /// Accepts `USER:LOGIN:SEEN`, once the test lets it.
  final class HeldAuthenticator: Authenticator {
    typealias Asked = (text: String, answer: CheckedContinuation<Void, Never>)
    let asked: AsyncStream<Asked>
    private let continuation: AsyncStream<Asked>.Continuation

    init() { (asked, continuation) = AsyncStream.makeStream() }

    func verify(_ credential: Credential) async -> Verdict {
      let text = credential.text?.exposed ?? ""
      await withCheckedContinuation { _ = continuation.yield((text, $0)) }
      let parts = text.split(separator: ":").map(String.init)
      guard parts.count == 3, let user = UserID(parts[0]), let seen = UInt64(parts[2]) else {
        return .rejected(.invalid, detail: "test")
      }
      let login: Identity.Login = parts[1] == "other" ? .other : .session(parts[1])
      return .accepted(Identity(user: user, expires: nil, login: login, seen: Snapshot(xmax: seen)))
    }
  }

  static func revocation(_ user: Int64?, _ scope: Revocation.Scope, txid: UInt64 = 150) -> Revocation {
    Revocation(user: user.map { UserID($0) }, scope: scope, reason: .revoked, txid: txid)
  }

  /// Begins to connect.
  static func begin(_ running: RunningGateway, _ token: String) async throws -> RawClient {
    let client = try await running.client()
    _ = try await client.upgrade("/ws/notifications/?token=\(token)")
    return client
  }

  @Test("A revocation closes the sockets in its scope before the rows of its delta, and no others")
  func closes() async throws {
    let authenticator = HeldAuthenticator()
    try await RunningGateway.run(authenticator: authenticator) { running in
      var asked = authenticator.asked.makeAsyncIterator()
      var clients: [String: RawClient] = [:]
      for token in ["1:a:100", "1:b:100", "1:other:100", "2:a2:100", "1:late:200"] {
        let client = try await Self.begin(running, token)
        await asked.next()?.answer.resume()
        #expect(try await client.frame().text.contains("connection_established"))
        clients[token] = client
      }
      running.gateway.sink.revoke([Self.revocation(nil, .session("a")), Self.revocation(1, .sessions, txid: 160)])
      await running.gateway.sink.deliver(Rows.batch([(1, [10]), (2, [11])]))
      for (token, client) in clients {
        let frame = try await client.frame()
        if ["1:a:100", "1:b:100"].contains(token) {
          #expect(frame.code == 4001 && frame.reason == "revoked", "\(token)")
        } else {
          #expect(frame.text.contains(#""id":1"#), "\(token)")
        }
      }
    }
  }

  @Test("Access that is revoked while its credential is verified does not begin")
  func raced() async throws {
    let authenticator = HeldAuthenticator()
    try await RunningGateway.run(authenticator: authenticator) { running in
      var asked = authenticator.asked.makeAsyncIterator()
      let before = try await Self.begin(running, "1:a:100")
      let first = await asked.next()
      let seen = try await Self.begin(running, "1:b:200")
      let second = await asked.next()
      running.gateway.sink.revoke([Self.revocation(1, .user)])
      await running.gateway.sink.deliver(Rows.batch([(1, [10])]))
      first?.answer.resume()
      second?.answer.resume()
      let frame = try await before.frame()
      #expect(frame.code == 4001 && frame.reason == "revoked")
      #expect(try await seen.frame().text.contains("connection_established"))
    }
  }

  @Test("A look-up before a lost connection does not outweigh a later revocation")
  func reconnected() async throws {
    let authenticator = HeldAuthenticator()
    try await RunningGateway.run(authenticator: authenticator) { running in
      var asked = authenticator.asked.makeAsyncIterator()
      let open = try await Self.begin(running, "1:a:200")
      await asked.next()?.answer.resume()
      #expect(try await open.frame().text.contains("connection_established"))
      let verifying = try await Self.begin(running, "1:b:200")
      let held = await asked.next()
      running.gateway.sink.reconnected(generation: 1, durable: 99)
      running.gateway.sink.revoke([Self.revocation(1, .user)])
      held?.answer.resume()
      #expect(try await open.closeFrame().reason == "revoked")
      #expect(try await verifying.closeFrame().reason == "revoked")
    }
  }

  @Test("A revocation also ends a credential that is being verified to replace the first")
  func replaced() async throws {
    let authenticator = HeldAuthenticator()
    try await RunningGateway.run(authenticator: authenticator) { running in
      var asked = authenticator.asked.makeAsyncIterator()
      let client = try await Self.begin(running, "1:a:200")
      await asked.next()?.answer.resume()
      _ = try await client.frame()
      try await client.say(#"{"type":"authenticate","token":"1:b:100"}"#)
      let held = await asked.next()
      running.gateway.sink.revoke([Self.revocation(1, .user)])
      held?.answer.resume()
      #expect(try await client.closeFrame().reason == "revoked")
    }
  }
}
