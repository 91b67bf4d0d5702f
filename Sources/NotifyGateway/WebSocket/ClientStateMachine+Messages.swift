import NIOCore
import NotifyCore

/// Frames and messages of the client.
extension ClientStateMachine {
  /// Bytes have come from the peer.
  ///
  /// - Returns: whether they are to be read. After a broken frame only the peer's end is waited for.
  mutating func receiveBytes(now: NIODeadline) -> Bool {
    lastHeard = now
    return acceptsInput
  }

  /// A whole frame has come.
  ///
  /// - Parameters:
  ///   - isWritable: whether the socket takes bytes.
  ///   - tables: the served tables.
  mutating func receive(
    _ event: FrameReader.Event, isWritable: @autoclosure () -> Bool, tables: @autoclosure () -> TableCatalog,
    limits: Limits, events: LoopEvents, now: NIODeadline
  ) -> Action {
    if case .close(let code) = event { return receiveClose(code, now: now) }
    if isClosing { return .none }
    switch event {
    case .close:
      return .none
    case .pong, .emptyFragment:
      return rate.accept(at: now) ? .none : close(.tooManyMessages, now: now)
    case .ping(let payload):
      guard rate.accept(at: now) else { return close(.tooManyMessages, now: now) }
      if isWritable() { return .pong(payload) }
      // Of several pings only the last needs an answer (RFC 6455, 5.5.3).
      pendingPong = payload
      return .none
    case .binary(let bytes):
      guard rate.accept(at: now) else { return close(.tooManyMessages, now: now) }
      return echoes ? .echo(bytes, isText: false) : close(.unsupportedData, now: now)
    case .message(let bytes):
      guard rate.accept(at: now) else { return close(.tooManyMessages, now: now) }
      if echoes { return .echo(bytes, isText: true) }
      let message = bytes.withUnsafeReadableBytes(ClientMessage.read)
      return receive(
        message, bytes: bytes.readableBytes, tables: tables(), limits: limits, events: events, now: now)
    }
  }

  /// The peer takes bytes again.
  mutating func becameWritable() -> Action {
    guard let payload = pendingPong else { return .none }
    pendingPong = nil
    return .pong(payload)
  }

  /// A message has come, or waited until the connection was open.
  ///
  /// - Parameter bytes: its size.
  mutating func receive(
    _ message: ClientMessage, bytes: Int = 0, tables: TableCatalog, limits: Limits, events: LoopEvents, now: NIODeadline
  ) -> Action {
    switch state {
    case .upgrading(let connecting):
      guard let connecting = Self.keep(message, bytes, connecting) else { return close(.tooManyMessages, now: now) }
      state = .upgrading(connecting)
      return .none
    case .waitingForCredential(let connecting):
      return receiveFirst(message, connecting, events: events, now: now)
    case .verifying(let connecting, let verification):
      guard let connecting = Self.keep(message, bytes, connecting) else { return close(.tooManyMessages, now: now) }
      state = .verifying(connecting, verification)
      return .none
    case .joining(let connecting):
      guard let connecting = Self.keep(message, bytes, connecting) else { return close(.tooManyMessages, now: now) }
      state = .joining(connecting)
      return .none
    case .open(let verification):
      return answer(message, verification, tables: tables, limits: limits, events: events, now: now)
    case .closing, .closed:
      return .none
    }
  }

  /// Keeps a message until `connection_established` is written; nil where there are too many.
  private static func keep(_ message: ClientMessage, _ bytes: Int, _ connecting: Connecting) -> Connecting? {
    guard connecting.earlyMessages.count < GatewayLimits.earlyMessages else { return nil }
    var connecting = connecting
    connecting.earlyMessages.append(message)
    connecting.earlyBytes += bytes
    return connecting
  }

  private mutating func answer(
    _ message: ClientMessage, _ verification: Verification?, tables: TableCatalog, limits: Limits, events: LoopEvents,
    now: NIODeadline
  ) -> Action {
    switch message {
    case .ping:
      return .answerPing(withCursor: takesCursor)
    case .acknowledge(let ids, let source):
      guard let table = tables.table(named: source) else { return Self.unknownTable(source, ids, tables) }
      return acknowledge(Self.rows(ids, of: table), limits: limits, now: now)
    case .read(let ids, let source):
      guard let table = tables.table(named: source) else { return Self.unknownTable(source, ids, tables) }
      guard let user else { return .none }
      return .recordRead(user, Self.rows(ids, of: table))
    case .authenticate(let token):
      if verification != nil { return .reportError("the credential before this one is still being verified") }
      let credential = Credential.any(Secret(token))
      state = .open(Verification(credential: credential, since: events))
      return .verify(credential)
    case .invalid(let why):
      return .reportError(why)
    }
  }

  private static func rows(_ ids: [RowID], of table: TableCatalog.Table) -> [RowName] {
    ids.map { RowName(table: table.number, id: $0.fitted(to: table.idKind)) }
  }

  private static func unknownTable(_ source: String?, _ ids: [RowID], _ tables: TableCatalog) -> Action {
    source == nil && tables.isNamed
      ? .reportError("\"source\" is missing: more than one table is served") : .ignoreIDs(ids.count)
  }

  private mutating func acknowledge(_ rows: [RowName], limits: Limits, now: NIODeadline) -> Action {
    guard let user, let (marks, next) = membership?.session.acknowledged(rows, by: user, limits: limits) else {
      return .none
    }
    return .acknowledge(marks, ignored: rows.count - marks.count, then: follow(next, now: now))
  }
}
