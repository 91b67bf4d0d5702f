import Foundation
import NIOCore
import NIOHTTP1
import NotifyCore

/// Decides on a request for a WebSocket. A value without I/O.
struct Handshake: Sendable {
  /// The contents of an acceptable request.
  struct Offer: Sendable {
    /// `Sec-WebSocket-Key`: 16 bytes in base64.
    var key: String
    /// The client's address.
    var remote: String
    /// Nil where the request has none.
    var credential: Credential?
    /// The resume cursor as it was given.
    var since: String?
    /// Rows are confirmed by the client.
    var acknowledges: Bool
    /// Our subprotocol is to be answered.
    var selectsSubprotocol: Bool
    /// The answer to offered extensions, where compressed frames are agreed on.
    var extensions: String?
  }

  /// The answer to a request.
  enum Decision {
    case upgrade(Offer)
    case refuse(HTTPResponseStatus, HTTPHeaders, reason: String)
    /// As `refuse`, with 403; the origin is for the log.
    case refuseOrigin(String)
  }

  private let paths: [String]
  private let origins: OriginRule
  /// Nil where no connection has compressed frames.
  private let deflateWindowBits: Int?
  /// Finds the address of a request's client.
  let remote: RemoteAddress

  init(_ settings: GatewaySettings) throws(GatewayError) {
    guard settings.path.hasPrefix("/"), !settings.path.contains("?"), !settings.path.contains("#") else {
      throw .configuration("the WebSocket's path \"\(settings.path)\" must begin with / and have no query")
    }
    var bare = settings.path
    while bare.hasSuffix("/"), bare.count > 1 { bare.removeLast() }
    paths = bare == "/" ? ["/"] : [bare, bare + "/"]
    origins = OriginRule(settings.origins)
    deflateWindowBits = settings.deflateFromBytes == nil ? nil : settings.deflateWindowBits
    remote = try RemoteAddress(trusting: settings.trustedProxies, header: settings.forwardedHeader)
  }

  /// Whether a path is the WebSocket's.
  func serves(_ path: Substring) -> Bool { paths.contains { $0 == path } }

  /// Whether a request asks for a WebSocket.
  static func isUpgrade(_ headers: HTTPHeaders) -> Bool {
    headers.lists("websocket", in: "upgrade")
  }

  /// Decides on a request for the WebSocket's path.
  ///
  /// - Parameter peer: the other end of the socket.
  func decide(_ head: HTTPRequestHead, _ target: RequestTarget, peer: SocketAddress?) -> Decision {
    let headers = head.headers
    guard head.method == .GET else { return .refuse(.methodNotAllowed, ["Allow": "GET"], reason: "use GET") }
    guard Self.isUpgrade(headers), head.version.minor >= 1 else { return Self.upgradeRequired() }
    guard headers.lists("upgrade", in: "connection") else { return Self.upgradeRequired() }
    let versions = headers["sec-websocket-version"]
    guard versions.count == 1, versions[0] == "13" else { return Self.upgradeRequired() }
    let keys = headers["sec-websocket-key"]
    guard keys.count == 1, Data(base64Encoded: keys[0])?.count == 16 else {
      return .refuse(.badRequest, [:], reason: "Sec-WebSocket-Key must be 16 bytes in base64")
    }
    guard origins.allows(headers["origin"], host: headers.first(name: "host")) else {
      return .refuseOrigin(headers["origin"].joined(separator: ", "))
    }
    let extensions: String?
    do throws(ExtensionOffer.Malformed) {
      let offers = try ExtensionOffer.read(headers["sec-websocket-extensions"])
      extensions = deflateWindowBits.flatMap { DeflateNegotiation.response(to: offers, windowBits: $0) }
    } catch {
      return .refuse(.badRequest, [:], reason: "Sec-WebSocket-Extensions is malformed")
    }
    return .upgrade(
      Offer(
        key: keys[0], remote: remote.of(peer: peer, headers: headers),
        credential: CredentialReader.read(headers, target),
        since: target.parameter("since"), acknowledges: target.parameter("ack") == "1",
        selectsSubprotocol: CredentialReader.protocols(headers).contains { $0 == CredentialReader.subprotocol },
        extensions: extensions))
  }

  private static func upgradeRequired() -> Decision {
    .refuse(
      .upgradeRequired, ["Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"],
      reason: "this path speaks WebSocket (RFC 6455, version 13)")
  }
}
