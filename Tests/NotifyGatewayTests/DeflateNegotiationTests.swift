import NIOHTTP1
import Testing

@testable import NotifyGateway

@Suite("permessage-deflate follows RFC 7692", .timeLimit(.minutes(1)))
struct DeflateNegotiationTests {
  static let plain = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
  static let twelve = plain + "; server_max_window_bits=12"

  struct Offered: CustomTestStringConvertible, Sendable {
    let fields: [String]
    /// Nil where no offer can be taken.
    let response: String?
    var testDescription: String { fields.joined(separator: " | ") }
  }

  static let taken: [Offered] = [
    Offered(fields: ["permessage-deflate"], response: plain),
    // Chromium, Firefox, Python's websockets.
    Offered(fields: ["permessage-deflate; client_max_window_bits"], response: plain),
    Offered(fields: ["permessage-deflate; server_max_window_bits=12; client_max_window_bits=12"], response: twelve),
    Offered(
      fields: ["permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=15"],
      response: twelve),
    Offered(fields: ["permessage-deflate;client_max_window_bits=8"], response: plain),
    Offered(fields: ["permessage-deflate ; server_max_window_bits = \"13\""], response: twelve),
    Offered(fields: ["permessage-deflate; server_max_window_bits=\"1\\5\""], response: twelve),
    // Other extensions, and offers that can't be taken before one that can.
    Offered(fields: ["x-webkit-deflate-frame, permessage-deflate"], response: plain),
    Offered(fields: ["a; b=\"c\"; d", "permessage-deflate"], response: plain),
    Offered(fields: [", permessage-deflate,,"], response: plain),
    Offered(fields: ["permessage-deflate; server_max_window_bits=8, permessage-deflate"], response: plain),
    Offered(
      fields: ["permessage-deflate; surprise", "permessage-deflate; server_max_window_bits=12"], response: twelve),
  ]

  static let declined: [Offered] = [
    [], [""], ["permessage-bzip2"], ["permessage-deflate2"], ["permessage-deflate; surprise"],
    ["permessage-deflate; server_no_context_takeover; server_no_context_takeover"],
    ["permessage-deflate; client_max_window_bits; client_max_window_bits=10"],
    ["permessage-deflate; server_no_context_takeover=1"], ["permessage-deflate; client_no_context_takeover=true"],
    ["permessage-deflate; server_max_window_bits"], ["permessage-deflate; server_max_window_bits=11"],
    ["permessage-deflate; server_max_window_bits=16"], ["permessage-deflate; server_max_window_bits=012"],
    ["permessage-deflate; server_max_window_bits=+12"], ["permessage-deflate; server_max_window_bits=many"],
    ["permessage-deflate; client_max_window_bits=7"], ["permessage-deflate; client_max_window_bits=16"],
    ["permessage-deflate; client_max_window_bits=08"],
  ].map { Offered(fields: $0, response: nil) }

  @Test("The response is to the first acceptable offer", arguments: taken + declined)
  func responds(_ offered: Offered) throws {
    #expect(DeflateNegotiation.response(to: try ExtensionOffer.read(offered.fields)) == offered.response)
  }

  @Test("The response names the window that is used")
  func windows() throws {
    let offers = try ExtensionOffer.read(["permessage-deflate; server_max_window_bits=9"])
    #expect(DeflateNegotiation.response(to: offers) == nil)
    #expect(DeflateNegotiation.response(to: offers, windowBits: 9) == Self.plain + "; server_max_window_bits=9")
  }

  @Test(
    "A header out of RFC 6455's form is refused",
    arguments: [
      "permessage-deflate foo", ";", "permessage-deflate;", "permessage-deflate; =12", "=", "permessage-deflate; a=",
      "permessage-deflate; a=\"", "permessage-deflate; a=\"\"", "permessage-deflate; a=\"1\\", "\"permessage-deflate\"",
      "permessage-deflate; a=\"b c\"", "permessage-deflate; a=b=c", "permessage-deflate; a=\"b\"c", "ä", "a/b",
    ])
  func refuses(_ field: String) {
    #expect(throws: ExtensionOffer.Malformed.self) { try ExtensionOffer.read([field]) }
  }

  @Test("Names and values are read, over several headers and in quotes")
  func reads() throws {
    let offers = try ExtensionOffer.read(["a; b; c=d ,e", "f;\tg=\"h\""])
    #expect(
      offers == [
        ExtensionOffer(name: "a", parameters: [.init(name: "b", value: nil), .init(name: "c", value: "d")]),
        ExtensionOffer(name: "e", parameters: []),
        ExtensionOffer(name: "f", parameters: [.init(name: "g", value: "h")]),
      ])
  }

  @Test("The handshake's response has the agreed extension, unless compression is switched off")
  func handshake() async throws {
    let offer = ["Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"]
    for (settings, expected) in [
      (GatewaySettings(), [Self.plain]), (GatewaySettings(deflateFromBytes: nil), []),
    ] {
      try await RunningGateway.run(settings) { running in
        let uri = "/ws/notifications/?token=user-7"
        let response = try await running.client().upgrade(uri, offer)
        #expect(response.status == 101)
        #expect(response.headers["sec-websocket-extensions"] == expected)
        let without = try await running.client().upgrade(uri)
        #expect(without.headers["sec-websocket-extensions"].isEmpty)
        let malformed = try await running.client().upgrade(uri, ["Sec-WebSocket-Extensions: permessage-deflate;"])
        #expect(malformed.status == 400)
      }
    }
  }
}
