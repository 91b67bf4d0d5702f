import NIOCore
import NIOPosix

/// Finds unused ports.
package enum FreePort {
  /// A free port of 127.0.0.1.
  static func find() throws(DevError) -> Int {
    guard let port = bind("127.0.0.1", 0) else { throw DevError("no port of 127.0.0.1 is free") }
    return port
  }

  /// Whether a port is unused. A host that can't be listened on at all counts as free; listening fails later.
  package static func isFree(_ host: String, _ port: Int) -> Bool {
    port == 0 || bind(host, port) != nil || bind(host, 0) == nil
  }

  /// Listens for a moment.
  ///
  /// - Returns: the port.
  private static func bind(_ host: String, _ port: Int) -> Int? {
    let bootstrap = ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
    guard let channel = try? bootstrap.bind(host: host, port: port).wait() else { return nil }
    defer { try? channel.close().wait() }
    return channel.localAddress?.port
  }
}
