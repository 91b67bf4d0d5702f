import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import NIOWebSocket
import NotifyCore
import Synchronization

/// One WebSocket to a bridge, from the handshake to its end.
final class WebSocketClient: Sendable {
  /// How a connection ended.
  enum Disconnect: Equatable, Sendable {
    /// The bridge closed it, or the connection was cut (code 1006).
    case closed(code: UInt16, reason: String)
    /// The handshake got a status other than 101.
    case refused(status: Int)
    /// No bridge answered.
    case unreachable(String)
  }

  private enum Upgrade: Sendable {
    case webSocket(NIOAsyncChannel<WebSocketFrame, WebSocketFrame>)
    case refused(NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>)
  }

  /// The largest message that is accepted, in bytes; no row is that large.
  private static let maximumFrameBytes = 1 << 30
  /// The time limit of the handshake, connecting included.
  private static let handshake: TimeAmount = .milliseconds(4_500)

  private let address: BridgeAddress
  private let open = Mutex<(any Channel)?>(nil)

  init(_ address: BridgeAddress) { self.address = address }

  /// Connects, and reads until the end.
  ///
  /// - Parameters:
  ///   - since: the cursor to resume from.
  ///   - onMessage: called with each text message.
  func run(token: Secret, since: String?, onMessage: (String) -> Void) async -> Disconnect {
    do {
      let upgrade = try await connect(token: token, since: since)
      defer { open.withLock { $0 = nil } }
      switch try await upgrade.get() {
      case .webSocket(let channel): return try await read(channel, onMessage)
      case .refused(let channel): return try await Self.refusal(channel)
      }
    } catch {
      return .unreachable(Self.explanation(error))
    }
  }

  /// Sends a close frame; `run` returns when the connection has ended.
  func close() {
    guard let channel = open.withLock({ $0 }) else { return }
    var code = channel.allocator.buffer(capacity: 2)
    code.writeInteger(UInt16(1_000))
    channel.writeAndFlush(
      WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: code), promise: nil)
  }

  private func connect(token: Secret, since: String?) async throws -> EventLoopFuture<Upgrade> {
    var path = address.path
    if let since { path += (path.contains("?") ? "&" : "?") + "since=\(since)" }
    var headers = HTTPHeaders()
    headers.add(name: "Host", value: "\(address.host):\(address.port)")
    headers.add(name: "Authorization", value: "Bearer \(token.exposed)")
    headers.add(name: "User-Agent", value: "notify-bridge/\(Version.number)")
    let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: path, headers: headers)
    let tls = try address.isSecure ? tlsHandlerContext() : nil
    return try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .connectTimeout(.seconds(3))
      .channelOption(.socketOption(.so_keepalive), value: 1)
      .connect(host: address.bareHost, port: address.port) { [address, self] channel in
        channel.eventLoop.makeCompletedFuture {
          if let tls {
            let name = Self.isAddress(address.bareHost) ? nil : address.bareHost
            try channel.pipeline.syncOperations.addHandler(NIOSSLClientHandler(context: tls, serverHostname: name))
          }
          let upgrade = try Self.addUpgrade(to: channel, head)
          let timeout = channel.eventLoop.scheduleTask(in: Self.handshake) { channel.close(promise: nil) }
          upgrade.whenComplete { _ in timeout.cancel() }
          self.open.withLock { $0 = channel }
          return upgrade
        }
      }
  }

  private static func addUpgrade(to channel: any Channel, _ head: HTTPRequestHead) throws -> EventLoopFuture<Upgrade> {
    let upgrader = NIOTypedWebSocketClientUpgrader<Upgrade>(maxFrameSize: maximumFrameBytes) { channel, _ in
      channel.eventLoop.makeCompletedFuture {
        .webSocket(try NIOAsyncChannel(wrappingChannelSynchronously: channel))
      }
    }
    let configuration = NIOTypedHTTPClientUpgradeConfiguration(upgradeRequestHead: head, upgraders: [upgrader]) {
      channel in
      channel.eventLoop.makeCompletedFuture {
        .refused(try NIOAsyncChannel(wrappingChannelSynchronously: channel))
      }
    }
    var pipeline = NIOUpgradableHTTPClientPipelineConfiguration(upgradeConfiguration: configuration)
    // The first message may arrive with the response to the handshake.
    pipeline.leftOverBytesStrategy = .forwardBytes
    return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(configuration: pipeline)
  }

  private func read(
    _ channel: NIOAsyncChannel<WebSocketFrame, WebSocketFrame>, _ onMessage: (String) -> Void
  ) async throws -> Disconnect {
    try await channel.executeThenClose { inbound, outbound in
      var message = ByteBuffer()
      for try await frame in inbound {
        switch frame.opcode {
        case .text, .continuation:
          message.writeImmutableBuffer(frame.unmaskedData)
          guard frame.fin else { continue }
          onMessage(String(buffer: message))
          message.clear(minimumCapacity: 0)
        case .ping:
          try await outbound.write(
            WebSocketFrame(fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData))
        case .connectionClose:
          var data = frame.unmaskedData
          let code = data.readInteger(as: UInt16.self) ?? 1_005
          try? await outbound.write(
            WebSocketFrame(fin: true, opcode: .connectionClose, maskKey: .random(), data: frame.unmaskedData))
          return .closed(code: code, reason: TerminalText.escaped(String(buffer: data)))
        default: continue
        }
      }
      return .closed(code: 1_006, reason: "the connection was cut")
    }
  }

  private static func refusal(
    _ channel: NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>
  ) async throws -> Disconnect {
    try await channel.executeThenClose { inbound, _ in
      for try await part in inbound {
        if case .head(let head) = part { return .refused(status: Int(head.status.code)) }
      }
      return .unreachable("the handshake was not answered")
    }
  }

  private func tlsHandlerContext() throws -> NIOSSLContext {
    var configuration = TLSConfiguration.makeClientConfiguration()
    // The certificate is for the bridge's public name; this connection goes to loopback.
    if address.isOwn { configuration.certificateVerification = .none }
    return try NIOSSLContext(configuration: configuration)
  }

  private static func isAddress(_ host: String) -> Bool {
    host.contains(":") || (try? SocketAddress(ipAddress: host, port: 0)) != nil
  }

  private static func explanation(_ error: any Error) -> String {
    switch error {
    case let error as NIOConnectionError:
      if let first = error.connectionErrors.first { return explanation(first.error) }
      return "the name can't be resolved"
    case let error as IOError: return String(cString: strerror(error.errnoCode)).lowercased()
    case is ChannelError: return "no answer in time"
    default: return TerminalText.shortened("\(error)", to: 120)
    }
  }
}
