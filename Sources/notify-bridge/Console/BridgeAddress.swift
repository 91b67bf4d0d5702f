import Foundation
import NotifyGateway

/// The address of a running bridge: from `--url`, or from the settings that it runs with.
struct BridgeAddress: Equatable, Sendable {
  /// Host as it stands in a URL, IPv6 in brackets.
  let host: String
  let port: Int
  let isSecure: Bool
  /// The path of the WebSocket.
  let path: String
  /// Whether it is this machine's bridge, whose certificate is not verified.
  let isOwn: Bool

  /// Reads a URL: `http`, `https`, `ws` or `wss`.
  ///
  /// - Parameter path: the path of the WebSocket where the URL has none.
  init?(url: String, path: String) {
    guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(),
      ["http", "https", "ws", "wss"].contains(scheme), let host = parts.host, !host.isEmpty
    else { return nil }
    self.isSecure = scheme == "https" || scheme == "wss"
    self.host = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    self.port = parts.port ?? (isSecure ? 443 : 80)
    self.path = parts.path.isEmpty || parts.path == "/" ? path : parts.path
    self.isOwn = false
  }

  /// The bridge that runs with these settings on this machine; nil where it listens on a socket in the file system.
  init?(settings: Settings) {
    let host = settings.gateway.host
    guard !host.hasPrefix("unix:") else { return nil }
    switch host {
    case "0.0.0.0", "": self.host = "127.0.0.1"
    case "::", "[::]": self.host = "[::1]"
    default: self.host = host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host
    }
    self.port = settings.gateway.port
    self.isSecure = settings.gateway.certificateFile != nil
    self.path = settings.gateway.path
    self.isOwn = true
  }

  /// The address of `--url`, else that of the settings.
  static func given(_ url: String?, _ settings: Settings) throws -> BridgeAddress {
    let path = settings.gateway.path
    if let url {
      if let address = BridgeAddress(url: url, path: path) { return address }
      throw CommandFailure(
        "--url \(TerminalText.shortened(url, to: 80)) is not an address", remedy: "It looks like http://127.0.0.1:8080",
        status: .usage)
    }
    if let address = BridgeAddress(settings: settings) { return address }
    throw CommandFailure(
      "the bridge listens on a socket in the file system, which this command can't use",
      remedy: "Give it an address with --url, or set \(Setting.of(\.gateway.host).variable)", status: .usage)
  }

  /// A URL of the HTTP side.
  func http(_ path: String) -> String { "\(isSecure ? "https" : "http")://\(host):\(port)\(path)" }

  /// The URL of the WebSocket.
  var webSocket: String { "\(isSecure ? "wss" : "ws")://\(host):\(port)\(path)" }

  /// The host without brackets, to connect to.
  var bareHost: String { host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host }
}
