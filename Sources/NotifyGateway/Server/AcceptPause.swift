import Foundation
import Logging
import NIOCore
import NotifyCore

/// Pauses the accepting of connections while the system has no descriptor or no memory for one, and logs that.
///
/// The connection that could not be accepted stays ready, so that accepting at once would fail without end.
final class AcceptPause: ChannelInboundHandler {
  typealias InboundIn = any Channel

  private let logger: Logger
  private var nextLine: NIODeadline = .uptimeNanoseconds(0)

  init(logger: Logger) { self.logger = logger }

  func errorCaught(context: ChannelHandlerContext, error: any Error) {
    guard let code = (error as? IOError)?.errnoCode, [EMFILE, ENFILE, ENOBUFS, ENOMEM].contains(code) else {
      return context.fireErrorCaught(error)
    }
    let now = context.eventLoop.now
    if now >= nextLine {
      nextLine = now + GatewayLimits.acceptLine
      logger.error(
        "connections wait: the system has no room for more; see limits.connections and the limit of open files",
        metadata: [LogKey.reason: "\(String(cString: strerror(code)))"])
    }
    let channel = context.channel
    try? channel.syncOptions?.setOption(.autoRead, value: false)
    context.eventLoop.scheduleTask(in: GatewayLimits.acceptPause) {
      try? channel.syncOptions?.setOption(.autoRead, value: true)
    }
  }
}
