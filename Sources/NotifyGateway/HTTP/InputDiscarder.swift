import NIOCore

/// Drops what still comes after the last response, before the decoder: that one would keep it (after an upgrade request)
/// or report an error for each read (after an error).
final class InputDiscarder: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {}
}
