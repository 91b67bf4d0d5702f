import Dispatch
import Foundation

/// Reports the bridge's state to the service manager that started it, by systemd's protocol (sd_notify(3)).
///
/// One datagram for each report, to the socket that `NOTIFY_SOCKET` names; without that variable nothing is sent. A
/// report never blocks: one that the manager's socket has no room for is lost, as is one that nobody receives.
struct ServiceManager: Sendable {
  /// What is reported.
  enum State: Equatable {
    /// It listens, or has finished reloading.
    case ready
    /// It reads settings, keys and certificates again.
    case reloading
    /// It drains, which takes at most this long.
    case stopping(within: Duration)
  }

  /// The socket's address: a path, or an abstract name behind `@`. Nil where nobody wants reports.
  private let address: String?

  init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    address = environment["NOTIFY_SOCKET"].flatMap { $0.hasPrefix("/") || $0.hasPrefix("@") ? $0 : nil }
  }

  func report(_ state: State) {
    guard let address else { return }
    Self.send(Self.text(state), to: address)
  }

  private static func text(_ state: State) -> String {
    switch state {
    case .ready: return "READY=1"
    case .reloading:
      // Of CLOCK_MONOTONIC, which is what the manager compares with.
      return "RELOADING=1\nMONOTONIC_USEC=\(DispatchTime.now().uptimeNanoseconds / 1_000)"
    case .stopping(let limit):
      // A margin: the bridge ends by itself, and the manager would kill it.
      return "STOPPING=1\nEXTEND_TIMEOUT_USEC=\((limit.components.seconds + 5) * 1_000_000)"
    }
  }

  private static func send(_ text: String, to name: String) {
    #if canImport(Glibc)
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      var path = Array(name.utf8)
      if path.first == UInt8(ascii: "@") { path[0] = 0 }
      let length = withUnsafeMutableBytes(of: &address.sun_path) { room in
        // The byte after a path stays zero.
        guard path.count < room.count else { return 0 }
        room.copyBytes(from: path)
        return path.count
      }
      guard length > 0, let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) else { return }
      let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
      guard descriptor >= 0 else { return }
      defer { close(descriptor) }
      withUnsafePointer(to: address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
          let flags = Int32(MSG_DONTWAIT) | Int32(MSG_NOSIGNAL)
          _ = sendto(descriptor, text, text.utf8.count, flags, address, socklen_t(offset + length))
        }
      }
    #endif
  }
}
