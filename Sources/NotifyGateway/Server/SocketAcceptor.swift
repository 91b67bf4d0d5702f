import Foundation
import Logging
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Opens a port and makes the handlers of each accepted socket.
struct SocketAcceptor: Sendable {
  let group: MultiThreadedEventLoopGroup
  let hub: Hub
  let sockets: SocketCounter
  let tls: TLSFiles?
  let logger: Logger

  /// Given to each socket when it is accepted: as an option of the bootstrap it would cost several futures.
  private static let readBuffers: any RecvByteBufferAllocator = AdaptiveRecvByteBufferAllocator(
    minimum: 64, initial: GatewayLimits.firstReadBytes, maximum: GatewayLimits.readBytes)

  /// Listens on `host` (or `unix:/path`) and `port`.
  ///
  /// - Throws: an error with a remedy for a taken port and the like.
  func bind(host: String, port: Int, site: HTTPSite) async throws(GatewayError) -> any Channel {
    do {
      if host.hasPrefix("unix:") {
        return try await bindUnix(String(host.dropFirst(5)), site)
      }
      let name = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
      // NIO sets TCP_NODELAY on the listening socket; accepted sockets inherit it.
      return try await bootstrap(site).bind(host: name, port: port).get()
    } catch {
      throw Self.explain(error, host: host, port: port)
    }
  }

  private func bootstrap(_ site: HTTPSite) -> ServerBootstrap {
    let logger = logger
    return ServerBootstrap(group: group)
      .serverChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHandler(AcceptPause(logger: logger))
        }
      }
      .serverChannelOption(.backlog, value: Int32(GatewayLimits.backlog))
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in accept(channel, site) }
  }

  /// Replaces a socket file that a crash left behind, but not one with a listening process.
  private func bindUnix(_ path: String, _ site: HTTPSite) async throws -> any Channel {
    do {
      return try await bootstrap(site).bind(unixDomainSocketPath: path).get()
    } catch let error as IOError where error.errnoCode == EADDRINUSE {
      if let other = try? await ClientBootstrap(group: group).connect(unixDomainSocketPath: path).get() {
        try? await other.close()
        throw error
      }
      return try await bootstrap(site).bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
    }
  }

  private func accept(_ channel: any Channel, _ site: HTTPSite) -> EventLoopFuture<Void> {
    let address = channel.remoteAddress
    let peer = site.handshake.remote.trusts(address) ? nil : SocketCounter.Peer(address)
    guard let member = hub.member(of: channel.eventLoop), sockets.opened(peer, isAdmin: !site.servesWebSocket) else {
      return channel.close()
    }
    channel.closeFuture.whenComplete { _ in sockets.closed() }
    return channel.eventLoop.makeCompletedFuture {
      let handler = try addHandlers(to: channel, site, member.loop.value)
      handler.onRemoval = { sockets.leftIdle(peer) }
    }
  }

  private func addHandlers(to channel: any Channel, _ site: HTTPSite, _ hub: ClientHub) throws -> HTTPHandler {
    // Until the upgrade: a client may end its side and still read the response.
    try channel.syncOptions?.setOption(.allowRemoteHalfClosure, value: true)
    try channel.syncOptions?.setOption(.recvAllocator, value: Self.readBuffers)
    // A socket keeps as many buffers as it reads in a turn.
    try channel.syncOptions?.setOption(.maxMessagesPerRead, value: 1)
    let pipeline = channel.pipeline.syncOperations
    if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls.context)) }
    var limits = NIOHTTPDecoderLimitConfiguration()
    limits.maxHeaderFieldSize = GatewayLimits.headerFieldBytes
    limits.maxHeaderListSize = GatewayLimits.headerBytes
    limits.maxHeaderFieldCount = GatewayLimits.headerFields
    let encoder = HTTPResponseEncoder()
    let decoder = ByteToMessageHandler(
      HTTPRequestDecoder(leftOverBytesStrategy: .forwardBytes, limitConfiguration: limits))
    let handler = HTTPHandler(site: site, hub: hub, encoder: encoder, decoder: decoder)
    try pipeline.addHandler(encoder)
    try pipeline.addHandler(decoder)
    try pipeline.addHandler(handler)
    return handler
  }

  private static func explain(_ error: any Error, host: String, port: Int) -> GatewayError {
    let place = host.hasPrefix("unix:") ? host : "\(host):\(port)"
    switch (error as? IOError)?.errnoCode {
    case EADDRINUSE:
      return .environment("\(place) is taken: stop what listens there, or choose another with --http-port")
    case EACCES, EPERM:
      return .environment(
        "not allowed to listen on \(place): choose a port from 1024 on, or a folder that can be written")
    case EADDRNOTAVAIL:
      return .environment("\(host) is not an address of this machine: choose one with --http-host, for example 0.0.0.0")
    case let code?:
      return .environment("can't listen on \(place): \(String(cString: strerror(code)))")
    case nil:
      return .environment("can't listen on \(place): check --http-host and --http-port")
    }
  }
}
