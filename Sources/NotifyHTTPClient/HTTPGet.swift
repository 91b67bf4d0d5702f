package import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// One GET over HTTP/1.1, for the few that the bridge makes: key sets, and its own readiness.
///
/// It takes one connection, follows no redirect, and bounds the answer's bytes and the time for everything.
package struct HTTPGet: Sendable {
  package struct Response: Sendable {
    package let status: Int
    package let body: [UInt8]
  }

  private let host: String
  private let port: Int
  private let isSecure: Bool
  private let head: HTTPRequestHead
  private let maximumBytes: Int
  private let timeout: TimeAmount
  /// Whether `https` asks for a certificate that is trusted, for the URL's host.
  var verifiesCertificate: Bool
  /// The certificates that are trusted: the system's, but in tests.
  var trustRoots = NIOSSLTrustRoots.default

  /// - Parameters:
  ///   - url: `http` or `https`, with a host.
  ///   - maximumBytes: the longest body that is taken.
  ///   - timeout: for the answer as a whole, from looking up the name on.
  ///   - userAgent: what the request names itself.
  ///   - verifiesCertificate: whether `https` asks for a certificate that the system trusts, for the URL's host.
  /// - Throws: `HTTPGetError.invalidURL`.
  package init(
    _ url: URL, maximumBytes: Int, timeout: Duration, userAgent: String, verifiesCertificate: Bool = true
  ) throws(HTTPGetError) {
    guard let scheme = url.scheme?.lowercased(), scheme == "http" || scheme == "https",
      let named = url.host(), !named.isEmpty
    else { throw .invalidURL }
    // A host that is an IPv6 address stands in brackets in a URL and in `Host`, and nowhere else.
    let host = named.trimmingCharacters(in: ["[", "]"])
    self.host = host
    self.isSecure = scheme == "https"
    self.port = url.port ?? (isSecure ? 443 : 80)
    self.maximumBytes = maximumBytes
    self.timeout = TimeAmount(timeout)
    self.verifiesCertificate = verifiesCertificate

    let path = url.path(percentEncoded: true)
    let target = (path.isEmpty ? "/" : path) + (url.query(percentEncoded: true).map { "?" + $0 } ?? "")
    let bracketed = host.contains(":") ? "[\(host)]" : host
    self.head = HTTPRequestHead(
      version: .http1_1, method: .GET, uri: target,
      headers: [
        "Host": url.port.map { "\(bracketed):\($0)" } ?? bracketed, "Accept": "application/json, */*;q=0.5",
        "Connection": "close", "User-Agent": userAgent,
      ])
  }

  /// Asks, and waits for the whole answer, whatever its status.
  ///
  /// - Throws: `HTTPGetError`, also where the task is cancelled.
  package func response() async throws(HTTPGetError) -> Response {
    let loop = MultiThreadedEventLoopGroup.singleton.any()
    let promise = loop.makePromise(of: Response.self)
    let deadline = loop.scheduleTask(in: timeout) { promise.fail(HTTPGetError.timedOut) }
    let result: Result<Response, any Error> = await withTaskCancellationHandler {
      connect(on: loop, promise).whenComplete { connected in
        switch connected {
        // Whatever ends the wait ends the connection.
        case .success(let channel): promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
        case .failure(let error): promise.fail(HTTPGetError(connecting: error))
        }
      }
      do { return .success(try await promise.futureResult.get()) } catch { return .failure(error) }
    } onCancel: {
      promise.fail(HTTPGetError.cancelled)
    }
    deadline.cancel()
    do { return try result.get() } catch { throw error as? HTTPGetError ?? .connectionLost }
  }

  private func connect(on loop: any EventLoop, _ promise: EventLoopPromise<Response>) -> EventLoopFuture<any Channel> {
    let tls: NIOSSLContext?
    do { tls = try isSecure ? tlsContext() : nil } catch { return loop.makeFailedFuture(error) }
    return ClientBootstrap(group: loop)
      .connectTimeout(timeout)
      .channelInitializer { [self] channel in
        channel.eventLoop.makeCompletedFuture {
          let pipeline = channel.pipeline.syncOperations
          if let tls { try pipeline.addHandler(NIOSSLClientHandler(context: tls, serverHostname: serverName)) }
          try pipeline.addHTTPClientHandlers()
          try pipeline.addHandler(HTTPResponseHandler(head, maximumBytes: maximumBytes, promise))
        }
      }
      .connect(host: host, port: port)
  }

  private func tlsContext() throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    configuration.trustRoots = trustRoots
    if !verifiesCertificate { configuration.certificateVerification = .none }
    configuration.applicationProtocols = ["http/1.1"]
    return try NIOSSLContext(configuration: configuration)
  }

  /// The name for SNI and the certificate; nil for an address, which TLS takes from the connection.
  private var serverName: String? {
    (try? SocketAddress(ipAddress: host, port: 0)) == nil ? host : nil
  }
}
