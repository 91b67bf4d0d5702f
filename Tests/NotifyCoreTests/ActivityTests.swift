import Testing

@testable import NotifyCore

@Suite("Presence and the logs are noted in memory, bounded")
struct ActivityTests {
  private let ada = UserID(1)
  private let bob = UserID(2)

  private func change(_ user: UserID, _ devices: Int, since: Int64 = 0, at: Int64) -> PresenceTable.Change {
    PresenceTable.Change(user: user, devices: devices, since: since, at: at)
  }

  @Test("a user's changes are one, with the first socket's time and the number of sockets")
  func changesOfOneUserAreOne() {
    var table = PresenceTable()
    #expect(!table.hasChanges && table.isEmpty)
    table.joined(ada, at: 10)
    table.joined(ada, at: 20)
    #expect(table.take() == PresenceTable.Changes(isWhole: false, users: [change(ada, 2, since: 10, at: 20)]))
    #expect(!table.hasChanges && !table.isEmpty)
    table.left(ada, at: 30)
    #expect(table.take().users == [change(ada, 1, since: 10, at: 30)])
    table.left(ada, at: 40)
    table.left(bob, at: 50)
    #expect(table.take().users == [change(ada, 0, at: 40)] && table.isEmpty)
  }

  @Test("a user who comes and goes between two statements was seen")
  func comingAndGoing() {
    var table = PresenceTable()
    table.joined(ada, at: 10)
    table.left(ada, at: 11)
    #expect(table.take().users == [change(ada, 0, at: 11)])
  }

  @Test("changes that could not be written come again, as the user is then")
  func putBack() {
    var table = PresenceTable()
    table.joined(ada, at: 10)
    table.joined(bob, at: 10)
    table.left(bob, at: 12)
    let lost = table.take()
    table.left(ada, at: 20)
    table.putBack(lost)
    let users = table.take().users.sorted { $0.user.text < $1.user.text }
    #expect(users == [change(ada, 0, at: 20), change(bob, 0, at: 12)])
  }

  @Test("more changes than are remembered write all users anew")
  func overflow() {
    var table = PresenceTable(limit: 2)
    for number in 1...3 { table.joined(UserID(Int64(number)), at: 1) }
    table.left(ada, at: 2)
    let changes = table.take()
    #expect(changes.isWhole && changes.users.count == 3)
    #expect(changes.users.filter { $0.devices == 1 }.count == 2)
    table.rewrite()
    let lost = table.take()
    #expect(lost.isWhole && lost.users.count == 2 && !table.hasChanges)
    table.putBack(lost)
    let again = table.take()
    #expect(again.isWhole && Set(again.users.map(\.user)) == Set(lost.users.map(\.user)))
  }

  @Test("what is not recorded is not noted, and wakes nobody")
  func nothingIsNoted() {
    let notes = ActivityNotes()
    notes.setWaker { Issue.record("woken") }
    notes.joined(ada, at: 1)
    notes.left(ada, at: 1)
    notes.delivered([RowName(table: 1, id: .integer(7))], .sent, at: 1)
    notes.rewritePresence()
    #expect(notes.connectionNumber() == nil && !notes.hasNotes && notes.take().isEmpty)
  }

  @Test("devices that take a row are counted together, acknowledgements apart")
  func deliveries() {
    let notes = ActivityNotes(ActivityNotes.Kinds(deliveries: true))
    let row = RowName(table: 1, id: .integer(7))
    notes.delivered([row], .sent, at: 10)
    notes.delivered([row], .sent, at: 20)
    notes.delivered([row], .acknowledged, at: 30)
    let batch = notes.take()
    #expect(batch.deliveries.count == 2)
    #expect(batch.deliveries.contains(DeliveryRecord(row: row, event: .sent, at: 10, devices: 2)))
    notes.delivered([row], .sent, at: 40)
    notes.putBack(batch)
    #expect(notes.take().deliveries.contains(DeliveryRecord(row: row, event: .sent, at: 10, devices: 3)))
  }

  @Test("of a socket the newest record counts, and too many are dropped and counted")
  func connections() {
    let notes = ActivityNotes(ActivityNotes.Kinds(connections: true))
    func record(_ number: UInt64, end: ConnectionRecord.End? = nil) -> ConnectionRecord {
      ConnectionRecord(number: number, user: ada, address: "192.0.2.1", userAgent: nil, opened: 1, end: end)
    }
    let end = ConnectionRecord.End(at: 2, code: 1000, closedBy: "client", rows: 1, bytes: 10)
    #expect(notes.connectionNumber() == 1)
    notes.connection(record(1))
    let lost = notes.take()
    notes.connection(record(1, end: end))
    notes.putBack(lost)
    #expect(notes.take().connections == [record(1, end: end)])
    for number in 1...UInt64(Limits.loggedConnections) + 3 { notes.connection(record(number)) }
    #expect(notes.take().connections.count == Limits.loggedConnections)
    #expect(notes.takeDropped() == 3 && notes.takeDropped() == 0)
  }

  @Test("a User-Agent is logged without control characters, and cut off")
  func userAgents() {
    #expect(ConnectionRecord.loggable(userAgent: "Fire\u{0}fox\u{7f}\n/1") == "Firefox/1")
    #expect(
      ConnectionRecord.loggable(userAgent: String(repeating: "ü", count: 400)).utf8.count == Limits.userAgentBytes)
  }
}
