import Foundation
import NotifyCore
import TestSupport
import Testing

@Suite("Messages and frames follow the protocol")
struct WireTests {
  @Test(
    "writes timestamps as PostgreSQL would",
    arguments: [
      (0, "1970-01-01T00:00:00.000000+00:00"), (-1, "1969-12-31T23:59:59.999999+00:00"),
      (1_795_680_000_123_456, "2026-11-26T08:00:00.123456+00:00"),
      (951_782_400_000_000, "2000-02-29T00:00:00.000000+00:00"),
      (253_402_300_800_000_000, "10000-01-01T00:00:00.000000+00:00"),
      (-62_198_755_200_000_000, "-0001-01-01T00:00:00.000000+00:00"),
      (Int64.max, "infinity"), (Int64.min, "-infinity"),
    ] as [(Int64, String)])
  func timestamps(microseconds: Int64, text: String) {
    #expect(Timestamp.text(microseconds: microseconds) == text)
  }

  @Test("Timestamps agree with Foundation on 2,000 instants over four centuries")
  func timestampsAgree() throws {
    let formatter = ISO8601DateFormatter()
    for step in 0..<2_000 {
      let seconds = Int64(step) * 6_307_203 - 2_208_988_800
      let expected = formatter.string(from: Date(timeIntervalSince1970: Double(seconds)))
      #expect(Timestamp.text(microseconds: seconds * 1_000_000) == expected.replacing("Z", with: ".000000+00:00"))
    }
  }

  @Test("Messages have the keys of the protocol in their order")
  func messages() throws {
    let epoch = Epoch(systemIdentifier: 1, timeline: 1)
    let user = UserID(42)
    #expect(
      ServerMessage.connectionEstablished(user: user, isNumber: true, timestamp: 0, epoch: epoch, cursor: "c.1").json
        == #"{"type":"connection_established","user_id":42,"timestamp":"1970-01-01T00:00:00.000000+00:00","group":"#
        + #""user_42_notifications","epoch":"\#(epoch)","cursor":"c.1"}"#)
    let named = try #require(UserID("a\"b"))
    #expect(
      ServerMessage.connectionEstablished(user: named, isNumber: true, timestamp: 0, epoch: epoch, cursor: nil).json
        == #"{"type":"connection_established","user_id":"a\"b","timestamp":"1970-01-01T00:00:00.000000+00:00","#
        + #""group":"user_a\"b_notifications","epoch":"\#(epoch)"}"#)
    #expect(
      ServerMessage.heartbeat(timestamp: 0, cursor: nil).json
        == #"{"type":"heartbeat","timestamp":"1970-01-01T00:00:00.000000+00:00"}"#)
    #expect(
      ServerMessage.replayTruncated(limit: 1_000, cursor: nil).json == #"{"type":"replay_truncated","limit":1000}"#)
    #expect(
      ServerMessage.error(code: "invalid_message", message: "a\n\u{1}").json
        == #"{"type":"error","code":"invalid_message","message":"a\n\u0001"}"#)
  }

  @Test("Frames of any size have the shortest header of RFC 6455", arguments: [1, 125, 126, 65_535, 65_536, 5_000_000])
  func headers(size: Int) {
    let frame = FrameEncoder.text(String(repeating: "x", count: size))
    let header = size < 126 ? 2 : size < 65_536 ? 4 : 10
    #expect(frame.count == header + size)
    #expect(frame[0] == 0x81)
    switch header {
    case 2: #expect(Int(frame[1]) == size)
    case 4: #expect(frame[1] == 126 && Int(frame[2]) << 8 | Int(frame[3]) == size)
    default: #expect(frame[1] == 127 && frame[2..<10].reduce(0) { $0 << 8 | Int($1) } == size)
    }
  }

  @Test("Consecutive rows are encoded like each of them alone")
  func sequence() {
    var encoder = NotificationEncoder()
    let times: [Int64] = [
      0, 1, 999_999, 1_000_000, 999_999, -1, -1_000_000, -1_000_001, 1_700_000_000_123_456, .max, 5, .min, .min + 1,
      .max - 1, -62_135_596_800_000_001, 253_402_300_800_000_000,
    ]
    let ids: [Int64] = [0, 9, 10, -10, 99, 100, .max, .min]
    for (number, time) in times.enumerated() {
      let id = ids[number % ids.count]
      var bytes: [UInt8] = []
      encoder.append(
        id: .integer(id), source: nil, createdAt: time, cursor: nil,
        data: UnsafeRawBufferPointer(start: nil, count: 0), to: &bytes)
      #expect(
        String(decoding: bytes.dropFirst(2), as: UTF8.self)
          == #"{"type":"notification","id":\#(id),"created_at":"\#(Timestamp.text(microseconds: time))","data":null}"#)
    }
  }

  @Test("A row is written with data last and byte for byte")
  func notification() {
    let data = Array(#"{"a": "\u0007 \\ 😀"}"#.utf8)
    var encoder = NotificationEncoder()
    var bytes: [UInt8] = []
    data.withUnsafeBytes {
      encoder.append(id: 7, source: nil, createdAt: 0, cursor: "e.1", data: $0, to: &bytes)
    }
    let text = String(decoding: bytes.dropFirst(bytes[1] == 126 ? 4 : 2), as: UTF8.self)
    #expect(
      text == #"{"type":"notification","id":7,"created_at":"1970-01-01T00:00:00.000000+00:00","cursor":"e.1","data":"#
        + String(decoding: data, as: UTF8.self) + "}")
    bytes = []
    encoder.append(
      id: -1, source: nil, createdAt: nil, cursor: nil, data: UnsafeRawBufferPointer(start: nil, count: 0), to: &bytes)
    #expect(String(decoding: bytes.dropFirst(2), as: UTF8.self) == #"{"type":"notification","id":-1,"data":null}"#)
    bytes = []
    encoder.append(
      id: .text("a\"b"), source: #""public.order""#, createdAt: nil, cursor: nil,
      data: UnsafeRawBufferPointer(start: nil, count: 0), to: &bytes)
    #expect(
      String(decoding: bytes.dropFirst(2), as: UTF8.self)
        == #"{"type":"notification","id":"a\"b","source":"public.order","data":null}"#)
  }

  @Test(
    "reads the messages of a client",
    arguments: [
      (#"{"type":"ping"}"#, .ping), (#"{ "type" : "ping", "extra": [1] }"#, .ping),
      (#"{"type":"ack","ids":[7,8]}"#, .acknowledge([7, 8], source: nil)),
      (#"{"ids":[],"type":"read"}"#, .read([], source: nil)),
      (#"{"type":"ack","ids":["a",-7],"source":"s.t"}"#, .acknowledge([.text("a"), -7], source: "s.t")),
      (#"{"type":"ack","ids":["7",7]}"#, .acknowledge([.text("7"), 7], source: nil)),
      (#"{"type":"authenticate","token":"t"}"#, .authenticate(token: "t")),
      (#"{"type":"ping","x":NaN,"y":"\ud800","z":[[{"a":-Infinity}]],"ids":7}"#, .ping),
      (
        #"{"\u0074ype":"\u0061ck","ids":["\u00e9","\ud83d\ude00"],"source":null}"#,
        .acknowledge([.text("é"), .text("😀")], source: nil)
      ),
    ] as [(String, ClientMessage)])
  func clientMessages(text: String, message: ClientMessage) {
    #expect(Array(text.utf8).withUnsafeBytes(ClientMessage.read) == message)
  }

  @Test(
    "answers anything else with what is expected, without quoting it",
    arguments: [
      "", "secret", "[]", "null", "7", #"{"type":7}"#, #"{"type":"ack"}"#, #"{"type":"ack","ids":[null]}"#,
      #"{"type":"ack","ids":[7],"source":7}"#,
      #"{"type":"read","ids":[1.5]}"#, #"{"type":"ack","ids":[99999999999999999999]}"#, #"{"type":"secret"}"#,
      #"{"type":"authenticate"}"#, #"{"type":"ping""#, String(repeating: "[", count: 10_000),
      #"{"type":"ping","type":"secret"}"#, #"{"type":"ping","type":"ping"}"#, #"{"type":"ack","ids":[7],"ids":[8]}"#,
      #"{"type":"ack","ids":[NaN]}"#, #"{"type":"ack","ids":[7.0]}"#, #"{"type":"ack","ids":[-0]}"#,
      #"{"type":"ack","ids":["\ud800"]}"#, #"{"type":"authenticate","token":"\udc00"}"#,
      #"{"type":"ack","ids":["# + Array(repeating: "1", count: 1_001).joined(separator: ",") + "]}",
    ])
  func invalidMessages(text: String) {
    guard case .invalid(let why) = Array(text.utf8).withUnsafeBytes(ClientMessage.read) else {
      Issue.record("accepted \(text)")
      return
    }
    #expect(!why.contains("secret"))
  }

  @Test("Close reasons fit into a close frame")
  func closeReasons() {
    let all: [CloseReason] =
      CloseReason.CredentialFault.allCases.map { .unauthorized($0) } + [
        .tooSlow, .tooManyConnections, .tooManyMessages, .tooManyConnects, .restart(retryMilliseconds: 5_000),
        .tryLater(retryMilliseconds: 5_000), .normal, .protocolError, .unsupportedData, .invalidText, .messageTooBig,
        .unresponsive,
      ]
    #expect(all.allSatisfy { $0.reason.utf8.count <= 123 })
    #expect(Set(all.map(\.code)) == [4001, 4008, 4009, 4029, 1012, 1013, 1000, 1002, 1003, 1007, 1009, 1001])
  }

  @Test("A secret is never printed")
  func secrets() {
    let secret = Secret("hunter2")
    var dumped = ""
    dump(secret, to: &dumped)
    let printed = "\(secret) \(String(reflecting: secret)) \(String(describing: Credential.any(secret))) \(dumped)"
    #expect(!printed.contains("hunter2"))
    #expect(secret.exposed == "hunter2")
  }
}
