import NIOCore
import NIOWebSocket
import NotifyCore

/// Reads a client's frames (RFC 6455, chapter 5) and puts messages together. A value without I/O.
struct FrameReader {
  /// A complete frame or message of a client.
  enum Event: Equatable {
    /// A whole text message, known to be UTF-8.
    case message(ByteBuffer)
    /// A whole binary message, where those are taken.
    case binary(ByteBuffer)
    case ping(ByteBuffer)
    case pong
    /// A part of a message that has no bytes, and isn't the last: no bound of bytes counts it.
    case emptyFragment
    /// The code is nil where the close frame is empty.
    case close(code: UInt16?)
  }

  private struct Header {
    let isFinal: Bool
    /// RSV1: a message that is compressed begins (RFC 7692, 6).
    let isDeflated: Bool
    let opcode: UInt8
    let length: Int
    /// Of the header itself, mask included.
    let size: Int
  }

  private let limit: Int
  /// Nil where compressed messages were not agreed on.
  private let inflater: Inflater?
  private let takesBinary: Bool
  private var unread: ByteBuffer?
  private var fragments: ByteBuffer?
  private var isDeflated = false
  private var isText = true
  /// Messages are neither decompressed nor validated: after our close frame only the peer's close frame matters.
  var skipsTexts = false
  private var validator = UTF8Validator()
  /// Bytes of the frame that is coming that the validator has seen.
  private var validated = 0

  /// - Parameters:
  ///   - limit: bytes of a message, over all its fragments; of one that is compressed, before and after.
  ///   - inflater: decompresses messages, where that was agreed on.
  ///   - takesBinary: binary messages are no violation.
  init(limit: Int, inflater: Inflater? = nil, takesBinary: Bool = false) {
    self.limit = limit
    self.inflater = inflater
    self.takesBinary = takesBinary
  }

  /// Takes bytes from the socket. Less than one frame stays unread after `next` has returned nil.
  mutating func append(_ bytes: consuming ByteBuffer) {
    if unread == nil {
      unread = bytes
    } else {
      unread?.writeBuffer(&bytes)
    }
  }

  /// The next event, or nil where more bytes are needed.
  ///
  /// - Throws: the reason to close with; nothing can be read any more then.
  mutating func next() throws(Violation) -> Event? {
    while let header = try header() {
      guard let unread, unread.readableBytes >= header.size + header.length else {
        try validateStart(header)
        return nil
      }
      let payload = take(header)
      if let event = try accept(header, payload) { return event }
    }
    return nil
  }

  /// A client broke the protocol.
  struct Violation: Error, Equatable {
    let reason: CloseReason
  }

  // MARK: Headers

  private func header() throws(Violation) -> Header? {
    guard let unread, unread.readableBytes >= 2 else { return nil }
    let start = unread.readerIndex
    guard let first: UInt8 = unread.getInteger(at: start), let second: UInt8 = unread.getInteger(at: start + 1) else {
      return nil
    }
    let isFinal = first & 0x80 != 0
    let opcode = first & 0x0f
    try check(first, second)
    var length = Int(second & 0x7f)
    var size = 6
    if length == 126 {
      guard let long: UInt16 = unread.getInteger(at: start + 2) else { return nil }
      guard long >= 126 else { throw Violation(reason: .protocolError) }
      length = Int(long)
      size = 8
    } else if length == 127 {
      guard let long: UInt64 = unread.getInteger(at: start + 2) else { return nil }
      guard long > UInt64(UInt16.max), long <= UInt64(Int64.max) else { throw Violation(reason: .protocolError) }
      length = Int(long)
      size = 14
    }
    guard opcode >= 8 || length <= limit - (fragments?.readableBytes ?? 0) else {
      throw Violation(reason: .messageTooBig)
    }
    return Header(isFinal: isFinal, isDeflated: first & 0x40 != 0, opcode: opcode, length: length, size: size)
  }

  private func check(_ first: UInt8, _ second: UInt8) throws(Violation) {
    let isFinal = first & 0x80 != 0
    let isMasked = second & 0x80 != 0
    guard first & 0x30 == 0, isMasked else { throw Violation(reason: .protocolError) }
    let isDeflated = first & 0x40 != 0
    // Only on a message's first frame.
    if isDeflated, inflater == nil || !(1...2 ~= first & 0x0f) { throw Violation(reason: .protocolError) }
    switch first & 0x0f {
    case 0x0: if fragments == nil { throw Violation(reason: .protocolError) }
    case 0x2 where !takesBinary: throw Violation(reason: .unsupportedData)
    case 0x1, 0x2: if fragments != nil { throw Violation(reason: .protocolError) }
    case 0x8, 0x9, 0xa: if !isFinal || second & 0x7f > 125 { throw Violation(reason: .protocolError) }
    default: throw Violation(reason: .protocolError)
    }
  }

  // MARK: Payloads

  private mutating func take(_ header: Header) -> ByteBuffer {
    guard var buffer = unread else { return ByteBuffer() }
    unread = nil
    buffer.moveReaderIndex(forwardBy: header.size - 4)
    let key: [UInt8] = buffer.readBytes(length: 4) ?? []
    var payload = buffer.readSlice(length: header.length) ?? ByteBuffer()
    // The rest of a large read must not keep it alive, nor be copied by the unmasking below.
    unread = buffer.readableBytes > 0 ? buffer : nil
    if let mask = WebSocketMaskingKey(key) { payload.webSocketUnmask(mask) }
    return payload
  }

  private mutating func accept(_ header: Header, _ payload: ByteBuffer) throws(Violation) -> Event? {
    switch header.opcode {
    case 0x8: return try close(payload)
    case 0x9: return .ping(payload)
    case 0xa: return .pong
    default: break
    }
    if header.opcode != 0 { (isText, isDeflated) = (header.opcode == 1, header.isDeflated) }
    if !isDeflated { try validate(payload.readableBytesView.dropFirst(validated)) }
    validated = 0
    var message = payload
    if var started = fragments {
      fragments = nil
      started.writeImmutableBuffer(payload)
      message = started
    }
    guard header.isFinal else {
      fragments = message
      return payload.readableBytes == 0 ? .emptyFragment : nil
    }
    if isDeflated, !skipsTexts {
      message = try inflate(message)
      try validate(message.readableBytesView)
    }
    guard validator.isComplete || skipsTexts else { throw Violation(reason: .invalidText) }
    return isText ? .message(message) : .binary(message)
  }

  private mutating func validate(_ payload: some Sequence<UInt8>) throws(Violation) {
    guard !isText || skipsTexts || validator.accept(payload) else { throw Violation(reason: .invalidText) }
  }

  /// Validates a text as far as it has come: a peer that sends bad UTF-8 learns it before it has sent the whole frame.
  private mutating func validateStart(_ header: Header) throws(Violation) {
    guard header.opcode < 8, let bytes = unread?.readableBytesView.dropFirst(header.size - 4), bytes.count > 4 else {
      return
    }
    if header.opcode != 0 { (isText, isDeflated) = (header.opcode == 1, header.isDeflated) }
    guard !isDeflated else { return }
    let key = Array(bytes.prefix(4))
    let payload = bytes.dropFirst(4)
    let next = validated
    validated = payload.count
    try validate(payload.dropFirst(next).enumerated().lazy.map { $1 ^ key[(next + $0) & 3] })
  }

  /// RFC 7692 names no code for a message that can't be decompressed. 1007 would mean bad UTF-8, so it is 1002.
  private func inflate(_ message: ByteBuffer) throws(Violation) -> ByteBuffer {
    guard let inflater else { throw Violation(reason: .protocolError) }
    do throws(Inflater.InflateError) {
      return try inflater.inflate(message, atMost: limit)
    } catch {
      switch error {
      case .invalid: throw Violation(reason: .protocolError)
      case .tooBig: throw Violation(reason: .messageTooBig)
      }
    }
  }

  private func close(_ payload: ByteBuffer) throws(Violation) -> Event {
    if payload.readableBytes == 0 { return .close(code: nil) }
    guard let code: UInt16 = payload.getInteger(at: payload.readerIndex) else {
      throw Violation(reason: .protocolError)
    }
    switch code {
    case 1000...1003, 1007...1014, 3000...4999: break
    default: throw Violation(reason: .protocolError)
    }
    var validator = UTF8Validator()
    guard validator.accept(payload.readableBytesView.dropFirst(2)), validator.isComplete else {
      throw Violation(reason: .invalidText)
    }
    return .close(code: code)
  }
}
