import Foundation
import NIOCore
import NIOSSL
import Testing

@testable import NotifyHTTPClient

@Suite("One GET returns a whole response or the reason for its absence", .timeLimit(.minutes(1)))
struct HTTPGetTests {
  static func get(
    _ port: Int, scheme: String = "http", host: String = "127.0.0.1", path: String = "/",
    timeout: Duration = .seconds(20),
    change: (inout HTTPGet) -> Void = { _ in }
  ) async throws -> Result<HTTPGet.Response, HTTPGetError> {
    let url = try #require(URL(string: "\(scheme)://\(host):\(port)\(path)"))
    var get = try HTTPGet(url, maximumBytes: 20, timeout: timeout, userAgent: "tests")
    change(&get)
    do throws(HTTPGetError) { return .success(try await get.response()) } catch { return .failure(error) }
  }

  static func get(_ response: String, closes: Bool = true) async throws -> Result<HTTPGet.Response, HTTPGetError> {
    try await RawServer.serve(response, closes: closes) { try await get($0.port) }
  }

  @Test("The request names the host, and asks for the path and the query as they are written")
  func request() async throws {
    try await RawServer.serve("HTTP/1.1 204 No Content\r\n\r\n") { server in
      _ = try await Self.get(server.port, path: "/a%20b/?c=d%26e&f")
      #expect(server.requests.hasPrefix("GET /a%20b/?c=d%26e&f HTTP/1.1\r\n"))
      #expect(server.requests.contains("\r\nHost: 127.0.0.1:\(server.port)\r\n"))
      #expect(server.requests.contains("\r\nUser-Agent: tests\r\n"))
    }
    try await RawServer.serve("HTTP/1.1 204 No Content\r\n\r\n") { server in
      _ = try await Self.get(server.port, path: "")
      #expect(server.requests.hasPrefix("GET / HTTP/1.1\r\n"))
    }
  }

  @Test(
    "A body ends by its length, by its last chunk or with the connection",
    arguments: [
      "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
      "HTTP/1.0 200 OK\r\n\r\nhello",
      "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    ])
  func bodies(response: String) async throws {
    let got = try await Self.get(response).get()
    #expect(got.status == 200)
    #expect(got.body == Array("hello".utf8))
  }

  @Test("A whole response ends the wait, whether the server closes or not")
  func open() async throws {
    let got = try await Self.get("HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno", closes: false).get()
    #expect(got.status == 503)
    #expect(got.body == Array("no".utf8))
  }

  @Test("A redirect is a response, and is not followed")
  func redirect() async throws {
    let response = "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    #expect(try await Self.get(response).get().status == 302)
  }

  @Test(
    "A response that is not whole is an error",
    arguments: [
      ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", .connectionLost), ("", .connectionLost),
      ("HTTP/1.1 200 OK\r\nContent-Length: 21\r\n\r\n" + String(repeating: "x", count: 21), .tooLarge),
      ("HTTP/1.1 200 OK\r\n\r\n" + String(repeating: "x", count: 21), .tooLarge),
      ("SSH-2.0-OpenSSH\r\n", .malformed), ("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", .malformed),
    ] as [(String, HTTPGetError)])
  func broken(response: String, expected: HTTPGetError) async throws {
    #expect(try await Self.get(response).failure == expected)
  }

  @Test("A server that sends no response, or part of one, is given up in time")
  func slow() async throws {
    for response in [nil, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello"] {
      try await RawServer.serve(response, closes: false) { server in
        let result = try await Self.get(server.port, timeout: .milliseconds(200))
        #expect(result.failure == .timedOut)
      }
    }
  }

  @Test("A port without a server and an unknown name are different errors")
  func nobody() async throws {
    let port = try await RawServer.serve(nil) { $0.port }
    #expect(try await Self.get(port).failure == .unreachable)
    #expect(try await Self.get(80, host: "nobody.invalid").failure == .unknownHost)
  }

  @Test("Cancelling the task ends the wait")
  func cancelled() async throws {
    try await RawServer.serve(nil, closes: false) { server in
      let port = server.port
      let task = Task { try await Self.get(port) }
      task.cancel()
      let result = try await task.value
      #expect(result.failure == .cancelled)
    }
  }

  @Test("TLS takes a certificate that is trusted and for this name, and no other")
  func tls() async throws {
    let certificate = try NIOSSLCertificate(bytes: Array(OtherKeys.serverCertificate.utf8), format: .pem)
    let key = try NIOSSLPrivateKey(bytes: Array(OtherKeys.serverKey.utf8), format: .pem)
    let context = try NIOSSLContext(
      configuration: .makeServerConfiguration(
        certificateChain: [.certificate(certificate)], privateKey: .privateKey(key)))
    let response = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    try await RawServer.serve(response, tls: context) { server in
      func get(_ host: String, _ change: (inout HTTPGet) -> Void) async throws -> Result<HTTPGet.Response, HTTPGetError>
      {
        try await Self.get(server.port, scheme: "https", host: host, change: change)
      }
      let trust: (inout HTTPGet) -> Void = { $0.trustRoots = .certificates([certificate]) }
      #expect(try await get("localhost", trust).get().body == Array("ok".utf8))
      #expect(try await get("127.0.0.1", trust).failure == .tls)
      #expect(try await get("localhost") { _ in }.failure == .tls)
      #expect(try await get("127.0.0.1") { $0.verifiesCertificate = false }.get().status == 200)
      // No TLS where TLS is asked for.
      try await RawServer.serve(response) { plain in
        let result = try await Self.get(plain.port, scheme: "https", host: "localhost", change: trust)
        #expect(result.failure == .tls)
      }
    }
  }
}

extension Result {
  fileprivate var failure: Failure? {
    switch self {
    case .success: nil
    case .failure(let error): error
    }
  }
}
