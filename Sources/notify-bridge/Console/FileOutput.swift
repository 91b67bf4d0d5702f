import Foundation

/// Writes to file descriptors without buffering.
enum FileOutput {
  /// Writes all bytes; stops silently where the reader has gone.
  static func write(_ bytes: [UInt8], to descriptor: Int32) {
    bytes.withUnsafeBytes { buffer in
      var rest = buffer[...]
      while let start = UnsafeRawBufferPointer(rebasing: rest).baseAddress, !rest.isEmpty {
        #if canImport(Darwin)
          let count = Darwin.write(descriptor, start, rest.count)
        #else
          let count = Glibc.write(descriptor, start, rest.count)
        #endif
        if count > 0 {
          rest = rest.dropFirst(count)
        } else if errno == EAGAIN {
          var waiting = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
          _ = poll(&waiting, 1, 1_000)
        } else if errno != EINTR {
          return
        }
      }
    }
  }

  /// Writes a line to standard output, at once.
  static func printLine(_ line: String) { write(Array((line + "\n").utf8), to: STDOUT_FILENO) }

  /// Writes a line to standard error, at once.
  static func printError(_ line: String) { write(Array((line + "\n").utf8), to: STDERR_FILENO) }
}
