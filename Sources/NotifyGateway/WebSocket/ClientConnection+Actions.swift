import Logging
import Metrics
import NIOCore
import NotifyCore

/// Performs the state machine's actions.
extension ClientConnection {
  func perform(_ action: ClientStateMachine.Action) {
    switch action {
    case .none:
      break
    case .verify(let credential):
      verify(credential)
    case .join(let user, let since):
      hub.join(self, user)
      hub.consumeLazyCursor()
      requestReplay(.connecting(since: since, routedAtJoin: hub.lastRouted))
    case .open(let opening, let epoch, let early):
      writePage(opening, epoch: epoch)
      recordOpened()
      for message in early { receive(message) }
      resumeInput()
    case .writePage(let opening, let epoch):
      writePage(opening, epoch: epoch)
    case .answerPing(let withCursor):
      hub.consumeLazyCursor()
      send(.heartbeat(timestamp: WallClock.microseconds(), cursor: withCursor ? hub.cursor : nil))
    case .reportError(let message):
      send(.error(code: "invalid_message", message: message))
    case .acknowledge(let marks, let ignored, let next):
      hub.recordDelivered { $0 += marks }
      logAcknowledged(marks)
      if ignored > 0 { dependencies.metrics.idsIgnored.increment(by: ignored) }
      catchUp(next)
    case .recordRead(let user, let rows):
      dependencies.confirmations.read(user: user, rows: rows)
    case .ignoreIDs(let count):
      dependencies.metrics.idsIgnored.increment(by: count)
    case .pong(let payload):
      write(ControlFrame.pong(payload))
    case .echo(let payload, let isText):
      send(payload, isText: isText)
    case .close(let reason):
      writeClose(reason)
    case .reject(let reason, let detail):
      recordRejected(reason, detail)
      writeClose(reason)
    case .closeAndEndOutput(let reason):
      writeClose(reason)
      endOutput()
    case .endOutput:
      endOutput()
    case .answerClose(let code):
      answerClose(code)
    case .closeSocket:
      context?.close(promise: nil)
    case .forget(let code, let closer, let leaves):
      forget(code: code, closer: closer, leaves: leaves)
    }
  }

  /// A client's message that came before the connection was open.
  private func receive(_ message: ClientMessage) {
    perform(
      machine.receive(
        message, tables: dependencies.status.catalog, limits: dependencies.limits, events: events, now: eventLoop.now))
  }

  // MARK: Inputs

  /// The upgrade is answered.
  ///
  /// - Parameter refusal: why the connection is one too many.
  func begin(refusal: CloseReason?) {
    let start: ClientStateMachine.Start =
      if hub.isDraining {
        .draining
      } else if let refusal {
        .tooMany(refusal)
      } else if dependencies.settings.echoes {
        .echo
      } else if let credential {
        .credential(credential)
      } else if dependencies.settings.firstMessage {
        .awaitFirstMessage
      } else {
        .noCredential
      }
    credential = nil
    perform(machine.begin(start, events: events, now: eventLoop.now))
    flush()
  }

  private func verified(_ given: Verdict) {
    var verdict = given
    if case .accepted(var identity) = given, identity.user.integer == nil {
      identity.user = identity.user.canonical(among: dependencies.status.catalog)
      verdict = .accepted(identity)
    }
    perform(
      machine.verified(verdict, revocations: hub.revocations, generation: hub.generation, now: eventLoop.now))
    flush()
  }

  func tick(_ beat: Heartbeat) {
    let actions = machine.tick(
      now: beat.now, wall: beat.wall, heartbeat: .seconds(Int64(dependencies.settings.heartbeatSeconds)),
      isWritable: isWritable, taken: taken, events: events)
    if let credential = actions.verify { verify(credential) }
    switch actions.then {
    case .none:
      break
    case .heartbeat(let withCursor):
      messages += 1
      write(withCursor ? beat.withCursor : beat.withoutCursor)
    case .perform(let action):
      perform(action)
    }
    flush()
  }

  func reconnected(durable: UInt64) { perform(machine.reconnected(durable: durable, now: eventLoop.now)) }

  func revoke(_ index: RevocationIndex) { perform(machine.revoke(index, now: eventLoop.now)) }

  func verifyAgain() { machine.isVerificationDue = true }

  func close(_ reason: CloseReason) { perform(machine.close(reason, now: eventLoop.now)) }

  func tablesReturned(_ tables: [Int32]) { perform(machine.tablesReturned(tables, now: eventLoop.now)) }

  func restart() { perform(machine.restart(now: eventLoop.now)) }

  func drain(_ last: Heartbeat?) {
    if let last, machine.takesCursor {
      messages += 1
      write(last.withCursor)
    }
    restart()
  }

  func abandon() { context?.close(promise: nil) }

  // MARK: Connecting

  private func verify(_ credential: Credential) {
    let authenticator = dependencies.authenticator
    let bound = NIOLoopBound(self, eventLoop: eventLoop)
    let isSubmitted = dependencies.tasks.submit {
      let verdict = await authenticator.verify(credential)
      bound.eventLoop.execute { bound.value.verified(verdict) }
    }
    if !isSubmitted { verified(.unavailable(detail: "too many credentials are being verified")) }
  }

  private func recordOpened() {
    dependencies.metrics.connects.increment()
    dependencies.logger.info(
      "connected", metadata: [LogKey.user: "\(machine.user?.text ?? "")", LogKey.remote: "\(remote)"])
    logOpened()
    let tables = dependencies.status.catalog
    if let user = machine.user, !tables.tables.isEmpty, !tables.canHold(user) {
      let kinds = Set(tables.tables.map(\.recipientKind.rawValue)).sorted().joined(separator: " and ")
      dependencies.logger.warning(
        "a user connected that no served table can have rows for",
        metadata: [LogKey.user: "\(user.text)", LogKey.detail: "recipients are \(kinds)"])
    }
  }
}
