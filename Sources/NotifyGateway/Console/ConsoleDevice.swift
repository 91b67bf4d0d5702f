import NIOCore
import NotifyCore

/// A socket as the console shows it.
struct ConsoleDevice: Sendable {
  /// Sockets of one user, and slow ones, that are shown.
  static let maximum = 100

  let user: String
  let remote: String
  /// Since the upgrade.
  let seconds: Int64
  /// Messages written to it.
  let messages: Int
  /// Bytes that the kernel has not taken, of live rows or of a replay.
  let queuedBytes: Int
  /// Where its session is: `live`, `behind` …
  let phase: String

  init(_ connection: ClientConnection) {
    user = connection.machine.user?.text ?? ""
    remote = connection.remote
    seconds = (connection.eventLoop.now - connection.started).nanoseconds / 1_000_000_000
    messages = connection.messages
    queuedBytes = connection.untakenBytes
    phase = connection.machine.membership.map { "\($0.session.phase)" } ?? "connecting"
  }

  var json: String {
    #"{"user":\#(JSONText.string(user)),"remote":\#(JSONText.string(remote)),"seconds":\#(seconds),"#
      + #""messages":\#(messages),"queued_bytes":\#(queuedBytes),"phase":\#(JSONText.string(phase))}"#
  }
}

extension ClientConnection {
  /// Bytes that the kernel has not taken.
  fileprivate var untakenBytes: Int {
    let buffered = try? context?.channel.syncOptions?.getOption(.bufferedWritableBytes)
    return max(queuedBytes, buffered ?? 0)
  }

  /// Whether rows reach it by a replay: it connects, or is behind.
  fileprivate var isCatchingUp: Bool { machine.membership.map { $0.session.phase != .live } ?? false }
}

extension Hub {
  /// The sockets of a user at this bridge, the longest open ones first.
  func devices(of user: UserID) async -> [ConsoleDevice] {
    await devices { $0.connections(of: user) }.sorted { $0.seconds > $1.seconds }
  }

  /// The sockets with bytes that the kernel has not taken, those with the most first.
  func slowDevices() async -> [ConsoleDevice] {
    await devices { loop in
      loop.connections(where: { $0.isCatchingUp || $0.queuedBytes > 0 }).filter { $0.untakenBytes > 0 }
        .sorted { $0.untakenBytes > $1.untakenBytes }
    }.sorted { $0.queuedBytes > $1.queuedBytes }
  }

  /// Asks each loop in turn, so that all of them are never held up together.
  private func devices(_ connections: @escaping @Sendable (ClientHub) -> [ClientConnection]) async -> [ConsoleDevice] {
    var all: [ConsoleDevice] = []
    for member in members {
      let part: [ConsoleDevice] = await withCheckedContinuation { continuation in
        member.eventLoop.execute {
          let found = connections(member.loop.value).prefix(ConsoleDevice.maximum)
          continuation.resume(returning: found.map { ConsoleDevice($0) })
        }
      }
      all += part
    }
    return all
  }
}
