import NIOCore

/// What the peer of a socket has taken.
enum TakenBytes {
  /// Bytes that the peer's kernel has acknowledged; nil where the system doesn't tell.
  ///
  /// Of a client that reads slowly, our kernel takes megabytes at a time, with pauses of a minute. Its acknowledgements come
  /// evenly.
  static func count(of channel: any Channel) -> UInt64? {
    guard let socket = channel as? any SocketOptionProvider else { return nil }
    // Linux's `struct tcp_info` as far as `tcpi_bytes_acked`, its 16th eight bytes. The C library's own ends before it.
    let info: EventLoopFuture<SIMD16<UInt64>> = socket.unsafeGetSocketOption(level: .tcp, name: .tcp_info)
    var taken: UInt64?
    // On its event loop a socket answers at once.
    info.assumeIsolated().whenSuccess { taken = $0[15] }
    return taken
  }
}
