import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// A client that sends any bytes and reads what comes, over a real socket.
actor RawClient {
  /// A frame as it came.
  struct Frame: Equatable {
    let opcode: UInt8
    let payload: ByteBuffer
    /// RSV1.
    var isDeflated = false

    var text: String { String(buffer: payload) }
    /// Of a close frame.
    var code: Int? { payload.getInteger(at: payload.readerIndex, as: UInt16.self).map(Int.init) }
    var reason: String { String(decoding: payload.readableBytesView.dropFirst(2), as: UTF8.self) }
  }

  /// A response as it came.
  struct Response {
    let status: Int
    let headers: HTTPHeaders
    let body: String
  }

  /// The server ended the connection.
  struct Ended: Error {}

  private let channel: any Channel
  private var chunks: AsyncStream<ByteBuffer>.Iterator
  private var unread = ByteBuffer()

  private init(_ channel: any Channel, _ chunks: AsyncStream<ByteBuffer>) {
    self.channel = channel
    self.chunks = chunks.makeAsyncIterator()
  }

  /// Opens a connection.
  ///
  /// - Parameters:
  ///   - halfCloses: stays open when the server has ended its side.
  ///   - address: of our end.
  static func connect(
    port: Int, halfCloses: Bool = false, from address: String = "127.0.0.1"
  ) async throws -> RawClient {
    let (stream, continuation) = AsyncStream<ByteBuffer>.makeStream()
    let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .bind(to: SocketAddress(ipAddress: address, port: 0))
      .channelOption(.allowRemoteHalfClosure, value: halfCloses)
      .channelInitializer { channel in
        channel.eventLoop.makeCompletedFuture { try channel.pipeline.syncOperations.addHandler(Inbox(continuation)) }
      }
      .connect(host: "127.0.0.1", port: port).get()
    return RawClient(channel, stream)
  }

  private final class Inbox: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let continuation: AsyncStream<ByteBuffer>.Continuation
    init(_ continuation: AsyncStream<ByteBuffer>.Continuation) { self.continuation = continuation }
    func channelRead(context: ChannelHandlerContext, data: NIOAny) { continuation.yield(unwrapInboundIn(data)) }
    func channelInactive(context: ChannelHandlerContext) { continuation.finish() }
    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
      if case .some(.inputClosed) = event as? ChannelEvent { continuation.finish() }
    }
    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
  }

  /// Sends bytes as they are.
  func send(_ text: String) async throws { try await channel.writeAndFlush(ByteBuffer(string: text)) }
  func send(bytes: [UInt8]) async throws { try await channel.writeAndFlush(ByteBuffer(bytes: bytes)) }
  /// Ends our side, and still reads.
  func endOutput() async throws { try await channel.close(mode: .output) }
  func close() async { try? await channel.close() }
  /// Closes without a word of goodbye: the peer gets a reset.
  func reset() async throws {
    try await (channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0)).get()
    try await channel.close()
  }

  /// Takes nothing from the socket any more.
  func stopReading() async throws { try await channel.setOption(.autoRead, value: false).get() }

  func resumeReading() async throws { try await channel.setOption(.autoRead, value: true).get() }

  // MARK: HTTP

  /// A request with a Host header.
  func request(_ line: String, _ headers: [String] = []) async throws -> Response {
    try await send(([line + " HTTP/1.1", "Host: localhost"] + headers).joined(separator: "\r\n") + "\r\n\r\n")
    return try await response(hasBody: !line.hasPrefix("HEAD"))
  }

  /// Asks for a WebSocket; 101 where that is granted.
  func upgrade(_ uri: String, _ headers: [String] = []) async throws -> Response {
    try await request("GET \(uri)", Self.upgradeHeaders + headers)
  }

  static let upgradeHeaders = [
    "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  ]

  /// The next response.
  func response(hasBody: Bool = true) async throws -> Response {
    var head = ""
    while !head.hasSuffix("\r\n\r\n") {
      while unread.readableBytes == 0 { try await more() }
      head += unread.readString(length: 1) ?? ""
    }
    let lines = head.split(separator: "\r\n")
    var headers = HTTPHeaders()
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      headers.add(name: String(parts[0]), value: parts[1].trimmingPrefix(" ").description)
    }
    let status = Int(lines[0].split(separator: " ")[1]) ?? 0
    let length = hasBody ? headers.first(name: "content-length").flatMap { Int($0) } ?? 0 : 0
    while unread.readableBytes < length { try await more() }
    return Response(status: status, headers: headers, body: unread.readString(length: length) ?? "")
  }

  // MARK: WebSocket

  /// The next frame.
  func frame() async throws -> Frame {
    while unread.readableBytes < 2 { try await more() }
    let first: UInt8 = unread.readInteger() ?? 0
    var length = Int(unread.readInteger(as: UInt8.self) ?? 0)
    if length == 126 {
      while unread.readableBytes < 2 { try await more() }
      length = Int(unread.readInteger(as: UInt16.self) ?? 0)
    } else if length == 127 {
      while unread.readableBytes < 8 { try await more() }
      length = Int(unread.readInteger(as: UInt64.self) ?? 0)
    }
    while unread.readableBytes < length { try await more() }
    return Frame(
      opcode: first & 0x0f, payload: unread.readSlice(length: length) ?? ByteBuffer(), isDeflated: first & 0x40 != 0)
  }

  /// The next close frame; what comes before it is skipped.
  func closeFrame() async throws -> Frame {
    while true {
      let frame = try await frame()
      if frame.opcode == 8 { return frame }
    }
  }

  /// Sends a text message.
  func say(_ text: String) async throws { try await send(bytes: Self.masked(0x81, Array(text.utf8))) }

  /// A client's frame, masked.
  static func masked(_ first: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let key: [UInt8] = [0x11, 0x22, 0x33, 0x44]
    let length: [UInt8] =
      switch payload.count {
      case ..<126: [0x80 | UInt8(payload.count)]
      case ..<65_536: [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xff)]
      default: [0x80 | 127] + (0..<8).map { UInt8(truncatingIfNeeded: payload.count >> (56 - 8 * $0)) }
      }
    return [first] + length + key + payload.enumerated().map { $1 ^ key[$0 % 4] }
  }

  /// Returns when the server has ended the connection.
  func ended() async throws {
    do {
      while true { try await more() }
    } catch is Ended {}
  }

  private func more() async throws {
    var iterator = chunks
    let chunk = await iterator.next(isolation: self)
    chunks = iterator
    guard var chunk else { throw Ended() }
    unread.writeBuffer(&chunk)
  }
}
