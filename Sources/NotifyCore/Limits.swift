/// The bounds of everything that could grow, with what happens on reaching each.
///
/// Constants are bounds that no operator needs to turn; the stored properties are configuration
/// (`NOTIFY_BRIDGE_LIMITS_…`), with its defaults.
package struct Limits: Sendable, Equatable {
  // MARK: Constants

  /// Bytes of a user id's text; a longer one is no user.
  package static let userIDBytes = 128
  /// Characters of a cursor; a longer one is foreign.
  package static let cursorBytes = 128
  /// Transactions in progress that a cursor names; of more, the newest are replayed again.
  package static let cursorTransactions = 4
  /// Tables for whose rows a cursor does not vouch; while more can't be read, there is none.
  package static let cursorTables = 4
  /// Rows of one batch; the delta goes on in the next.
  package static let batchRows = 2_000
  /// Payload bytes at which a batch ends (one row may be larger).
  package static let batchBytes = 1 << 20
  /// Batches delivered to the event loops and not yet routed by all of them; beyond, the store waits.
  package static let batchesInFlight = 4
  /// Rows of a replay's page for one connection; the next page follows when this one was written to the socket.
  package static let replayPageRows = 200
  /// Stored bytes at which a replay's page ends (one row may be larger).
  package static let replayPageBytes: UInt64 = 256 << 10
  /// Bytes of text at which a replay's page ends (one row may be larger); as stored it may be a fraction of that.
  package static let replayPageText = 1 << 20
  /// Bytes of text that one statement reads for replays (one row more may come); the requests behind wait for the next.
  package static let replayText = 64 << 20
  /// Keys that are read at once where a delta is read by its keys; the rows of more wait for those of these.
  package static let keysPerPage = 1_000
  /// Connections whose replay is read by one statement; more wait for the next.
  package static let replayRequests = 256
  /// Bytes held back for a connection that catches up; beyond, they are dropped and it catches up again.
  package static let catchUpBytes = 8 << 20
  /// Credentials looked up by one statement; more wait for the next.
  package static let lookups = 256
  /// Revocations remembered for credentials that are being verified; beyond, those are verified again.
  package static let rememberedRevocations = 10_000
  /// The longest absence of the database after which sockets stay open: revocations are deleted after an hour.
  package static let revocationsKept: Duration = .seconds(3_000)
  /// Rows marked sent by one statement; more wait for the next.
  package static let markRows = 2_000
  /// How long written rows wait for others to be marked with them, where there are fewer than `markEagerly`.
  package static let markDelay: Duration = .milliseconds(5)
  /// Rows that are marked without waiting for others.
  package static let markEagerly = 256
  /// How long the marking of a row that another session holds locked waits before it is tried again.
  package static let markRetry: Duration = .milliseconds(100)
  /// Times that a row stays unmarked without an error, after which it is looked at whether anybody holds it locked.
  package static let markTries = 3
  /// Single rows of a table that fail one after the other; then the table is set aside as a whole.
  package static let failingRows = 64
  /// Written rows of a table that is set aside; beyond, the oldest are forgotten and sent again later.
  package static let pausedMarks = 100_000
  /// Rows in quarantine that are remembered, so that another report of one makes no statement fail again.
  package static let rememberedFailures = 10_000
  /// Rows in quarantine that are tried again at a time; more wait for the next.
  package static let quarantineRetries = 64
  /// Rows in quarantine of which each is logged; of more only the number is known.
  package static let loggedQuarantine = 1_000
  /// Read receipts of one user that fail, one after the other; then all that wait of this user are dropped and counted.
  package static let failingReceipts = 8
  /// Read receipts kept to be tried again; beyond, new ones are dropped and counted.
  package static let deferredReceipts = 10_000
  /// The pause of a table that is set aside, after so many failures: from a second to ten minutes.
  package static func quarantinePause(attempts: Int) -> Duration {
    min(.seconds(1 << min(attempts - 1, 20)), .seconds(600))
  }
  /// How long the last marks may take when the bridge stops.
  package static let markDrain: Duration = .seconds(5)
  /// How long the sockets stay open when the bridge stops, until their rows are marked and they get their last cursor.
  package static let handover: Duration = .seconds(2)
  /// How long a statement on the path of rows may take to answer.
  package static let statementTimeout: Duration = .seconds(30)
  /// How long each row of a delta that one statement reads may take; beyond, the delta is read in pages.
  package static let deltaTimeout: Duration = .seconds(5)
  /// Rows of a delta that one statement reads and that are not known to be on disk; beyond, the rest is read in pages, and
  /// is known to be on disk in between.
  package static let deltaRows = 500_000
  /// How long connecting to the database may take.
  package static let connectTimeout: Duration = .seconds(4)
  /// How long the scan for unsent rows and a purge may take to answer.
  package static let scanTimeout: Duration = .seconds(3_600)
  /// How often old rows are deleted, and how many by one statement.
  package static let purgeInterval: Duration = .seconds(600)
  package static let purgeRows = 5_000
  /// The time between two looks whether the retention may delete rows.
  package static let purgeTurnInterval: Duration = .seconds(30)
  /// Rows written and not yet marked while the database is away; beyond, the oldest are forgotten and sent again later.
  package static let pendingMarks = 1_000_000
  /// Read receipts waiting for the database; beyond, new ones are dropped and counted.
  package static let pendingReceipts = 100_000
  /// The shortest time between two statements for presence and the logs; what is noted meanwhile goes with the next one.
  package static let activityInterval: Duration = .seconds(1)
  /// How often presence and the logs look whether the bridge has all other connections, before they have theirs.
  package static let activityConnect: Duration = .milliseconds(100)
  /// How long another connection may be missing before presence and the logs give up theirs for it.
  package static let activityYield: Duration = .seconds(2)
  /// Users whose change is remembered for presence; beyond, all users with sockets are written anew.
  package static let presenceChanges = 100_000
  /// Sockets waiting to be written to the connection log; beyond, they are dropped and counted.
  package static let loggedConnections = 100_000
  /// Events of rows waiting to be written to the delivery log; beyond, they are dropped and counted.
  package static let loggedDeliveries = 100_000
  /// Bytes of a User-Agent in the connection log; the rest is cut off.
  package static let userAgentBytes = 512
  /// How often it is looked for bridges that were killed, to end what they recorded. Their users are not shown meanwhile.
  package static let recorderCleaning: Duration = .seconds(30)
  /// How long the last statement for presence and the logs may take when the bridge stops.
  package static let activityDrain: Duration = .seconds(2)
  /// Ids in one `ack` or `read` message; more are an invalid message.
  package static let idsPerMessage = 1_000
  /// Rows sent and not acknowledged on a connection with `ack=1`; beyond, it is closed with 4008.
  package static let unacknowledgedRows = 10_000
  /// How long a connect is held while the database is away, before it is closed with 1013.
  package static let connectHold: Duration = .seconds(10)
  /// The longest time without an answer of the database before it counts as away; fetches are more frequent.
  package static let silence: Duration = .milliseconds(4_500)
  /// A statement without any answer for so long has the server asked, on another connection, whether it is slow. Where it
  /// is not, the link is silent, and the connection is made again.
  package static let silentLink: Duration = .seconds(3)
  /// The time between safety fetches, which follow no doorbell, and between heartbeats of the replica row.
  package static let safetyInterval: Duration = .seconds(2)
  /// The time between fetches while a transaction may still be open that started before the doorbell was armed.
  package static let armingInterval: Duration = .milliseconds(20)
  /// The time over which the rate of transactions is taken, by which the doorbell decides.
  package static let doorbellWindow: Duration = .milliseconds(100)
  /// The shortest time between two changes of the replica row; a change that is due earlier waits.
  package static let doorbellChangeInterval: Duration = .milliseconds(100)
  /// Counts in a row that find writers waiting for NOTIFY's lock, after which commits stop ringing.
  package static let lockWaitObservations = 3
  /// At this many times the rate of a busy doorbell, counted in rows, the bridge collects rows before it fetches. At 4,000
  /// rows/s collecting would save 6% of a core, and raise p99 from 10 to 50 ms.
  package static let collectRowRateFactor = 5.0
  /// While collecting, the pause before a fetch is this many times as long as the last fetch took, within the bounds that
  /// are set.
  package static let collectDelayFactor = 16
  /// How long a statement on the path of rows waits for a lock on a table; beyond, the table is quarantined.
  package static let lockWait: Duration = .seconds(1)
  /// The same for a table that is quarantined.
  package static let lockRetryWait: Duration = .milliseconds(50)
  /// How long cursors are withheld while a table is quarantined, for whose rows they would vouch.
  package static let cursorsWithheld: Duration = .seconds(600)
  /// The shortest time between two surveys of the served tables.
  package static let surveyInterval: Duration = .milliseconds(100)
  /// How long a peer may take to answer our close frame.
  package static let closeTimeout: Duration = .seconds(5)
  /// The largest random delay that a drained client is told to wait, in milliseconds.
  package static let retryMilliseconds = 5_000

  // MARK: Configuration

  /// Sockets of this process; beyond, a connect is refused with 503.
  package var connections = 18_000
  /// Sockets above these, for HTTP and refusals; beyond, a socket is closed when it is accepted.
  package var spareSockets = 512
  /// Sockets of one user; the oldest is closed with 4009.
  package var connectionsPerUser = 100
  /// Sockets from one address, 0 for no limit; beyond, a connect is closed with 4029.
  package var connectionsPerAddress = 0
  /// Connects per second of one address, 0 for no limit; beyond, a connect is closed with 4029.
  package var connectRate = 0
  /// Bytes of the text of a row's payload; a row with more is quarantined.
  package var rowBytes = 64 << 20
  /// Memory of what waits for one socket behind its first frame; beyond, rows are left out, and replayed once that was taken.
  package var queueBytes = 1 << 20
  /// Bytes of a message from a client; beyond, it is closed with 1009.
  package var messageBytes = 65_536
  /// Messages per second from a client; beyond, it is closed with 4029.
  package var messageRate = 50
  /// Rows after `since` that were sent before; beyond, none of them comes and `replay_truncated` says so.
  package var replayRows = 1_000
  /// Rows held back for a connection that catches up; beyond, they are dropped and it catches up again.
  package var catchUpRows = 10_000
  /// Seconds for the request head, and for the TLS handshake, each; beyond, the connection is closed.
  package var handshakeSeconds = 10
  /// Users whose oldest unsent row is remembered; for others look-ups have no lower bound.
  package var rememberedUsers = 1_000_000

  /// The defaults.
  package init() {}
}
