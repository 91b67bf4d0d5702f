import TestSupport
import Testing

@testable import NotifyCore

@Suite("The reader of pings, acks and read receipts")
struct CommonMessageTests {
  @Test(
    "reads what clients write, without the decoder",
    arguments: [
      (#"{"type":"ping"}"#, .ping), (#"{ "type": "ping" }"#, .ping),
      (#"{"type":"ack","ids":[7,8]}"#, .acknowledge([7, 8], source: nil)),
      (#"{"type": "read", "ids": [7, 8], "source": "public.note"}"#, .read([7, 8], source: "public.note")),
      ("{\n\t\"type\" : \"ack\" ,\r\n \"ids\" : [ ] }", .acknowledge([], source: nil)),
      (
        #"{"type":"ack","ids":[0,-1,9223372036854775807,-9223372036854775808]}"#,
        .acknowledge([0, -1, .integer(.max), .integer(.min)], source: nil)
      ),
      (
        #"{"type":"read","ids":["# + Array(repeating: "1", count: 1_000).joined(separator: ",") + "]}",
        .read(Array(repeating: 1, count: 1_000), source: nil)
      ),
    ] as [(String, ClientMessage)])
  func common(text: String, message: ClientMessage) {
    #expect(Array(text.utf8).withUnsafeBytes(ClientMessageFastPath.read) == message)
  }

  @Test(
    "leaves everything else to the decoder",
    arguments: [
      "", "{", #"{"type":"ping","n":1}"#, #"{"type":"ping"} "#, #"{"type":"pong"}"#, #"{"ids":[7],"type":"ack"}"#,
      #"{"type":"ack","ids":[7],"extra":1}"#,
      #"{"type":"ack","ids":[7]} "#, #"{"type":"ack","ids":[7],"ids":[8]}"#, #"{"type":"ack","ids":["7"]}"#,
      #"{"type":"ack","ids":[07]}"#, #"{"type":"ack","ids":[-0]}"#, #"{"type":"ack","ids":[- 1]}"#,
      #"{"type":"ack","ids":[1.0]}"#, #"{"type":"ack","ids":[1e2]}"#, #"{"type":"ack","ids":[1,]}"#,
      #"{"type":"ack","ids":[,]}"#, #"{"type":"ack","ids":[1 2]}"#, #"{"type":"ack","ids":[1"#,
      #"{"type":"ack","ids":[9223372036854775808]}"#, #"{"type":"ack","ids":[-9223372036854775809]}"#,
      #"{"type":"ack","ids":[7],"source":null}"#, #"{"type":"ack","ids":[7],"source":"a\u0062"}"#,
      #"{"type":"ack","ids":[7],"source":"é"}"#, #"{"type":"ack","ids":[7],"source":"a"#,
      #"{"type":"ack","ids":["# + Array(repeating: "1", count: 1_001).joined(separator: ",") + "]}",
    ])
  func uncommon(text: String) {
    #expect(Array(text.utf8).withUnsafeBytes(ClientMessageFastPath.read) == nil)
  }

  @Test("The fast path agrees with the decoder on every text one or two bytes away from a valid one")
  func agreement() {
    let right = [
      #"{"type":"ack","ids":[7,80,-9]}"#, #"{ "type": "read", "ids": [10, 0], "source": "a.b" }"#,
      #"{"type":"ack","ids":[9223372036854775807,-9223372036854775808]}"#,
    ]
    let bytes = Array("{}[]\":,-+.eE0189 \n\\ack".utf8) + [0, 0x7F, 0xC3, 0xFF]
    var numbers = SeededGenerator(seed: 1)
    var (readers, texts) = (0, 0)
    for _ in 0..<20_000 {
      var text = Array(right.randomElement(using: &numbers)!.utf8)
      for _ in 0..<Int.random(in: 1...2, using: &numbers) {
        let place = Int.random(in: 0..<text.count, using: &numbers)
        let byte = bytes.randomElement(using: &numbers)!
        switch Int.random(in: 0..<3, using: &numbers) {
        case 0: text[place] = byte
        case 1: text.insert(byte, at: place)
        default: text.remove(at: place)
        }
      }
      texts += 1
      guard let message = text.withUnsafeBytes(ClientMessageFastPath.read) else { continue }
      readers += 1
      #expect(message == text.withUnsafeBytes(ClientMessage.decode), "\(String(decoding: text, as: UTF8.self))")
    }
    // Both ways were gone often.
    #expect(readers > texts / 20 && readers < texts / 2)
  }
}
