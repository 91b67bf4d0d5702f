import Foundation
import NotifyCore
import Testing

/// A small configuration of the model, whose interleavings are explored.
enum Explored: String, CaseIterable, CustomTestStringConvertible {
  case reconnect = "a device connects twice, once without its cursor, and a socket is cut"
  case twoDevices = "a slow device beside a prompt one, and a socket is cut"
  case cursors = "a device is cut off between two rows, while another one takes both"
  case slow = "a slow device with no room connects twice, and a delta is given up"
  case givenUp = "a slow device with no room gets the rest of a delta that was given up"
  case crash = "the database crashes, and a transaction is rolled back"
  case kill = "the bridge is killed"
  case paged = "two devices are replayed page by page, and one has marked what the other still waits for"

  var testDescription: String { rawValue }

  private static let promptClient = ModelClient(user: UserID(0), isSlow: false)
  private static let slowClient = ModelClient(user: UserID(0), isSlow: true)
  private static func connected(_ client: Int) -> [Exploration.Step] {
    [.connect(client), .receive(client), .flush(client)]
  }

  var configuration: Exploration.Configuration {
    switch self {
    case .reconnect:
      .init(
        transactions: [[0], [0]], clients: [Self.promptClient], connects: [2], accidents: [.cut: 1, .forgetCursor: 1],
        depth: 12)
    case .twoDevices:
      .init(
        transactions: [[0]], clients: [Self.promptClient, Self.slowClient], connects: [1, 1], accidents: [.cut: 1],
        depth: 99)
    case .cursors:
      .init(
        transactions: [[0, 0]], clients: [Self.promptClient, Self.promptClient], connects: [2, 1], accidents: [.cut: 1],
        // The transaction is older than the newest durable one, so that a cursor may claim it.
        prelude: Self.connected(0) + Self.connected(1) + [.begin(0), .mark], depth: 99)
    case .slow:
      .init(
        transactions: [[0, 0]], clients: [Self.slowClient], connects: [2], accidents: [.cut: 1, .giveUp: 1],
        pageRows: 1,
        catchUpRows: 1, queueBytes: 1, depth: 14)
    case .givenUp:
      .init(
        transactions: [[0], [0, 0]], clients: [Self.slowClient], connects: [1], accidents: [.giveUp: 1], pageRows: 1,
        catchUpRows: 1, queueBytes: 1, prelude: Self.connected(0), depth: 14)
    case .crash:
      .init(
        transactions: [[0], [0]], clients: [Self.promptClient], connects: [1], accidents: [.crash: 1, .rollback: 1],
        depth: 12)
    case .kill:
      .init(transactions: [[0]], clients: [Self.promptClient], connects: [2], accidents: [.kill: 1], depth: 99)
    case .paged:
      .init(
        transactions: [[0, 0]], clients: [Self.promptClient, Self.promptClient], connects: [1, 1], pageRows: 1,
        // Two rows are unsent, and older than what is routed.
        prelude: [.begin(0), .commit(0), .fetch, .route], depth: 99)
    }
  }

  /// States that are reached at least: fewer mean that steps are missing.
  var leastStates: Int {
    switch self {
    case .reconnect: 20_000
    case .twoDevices: 15_000
    case .cursors: 1_000
    case .slow: 15_000
    case .givenUp: 4_000
    case .crash: 20_000
    case .kill: 3_000
    case .paged: 1_000
    }
  }
}

extension Rule {
  /// Where leaving the rule out shows.
  fileprivate var explored: Explored {
    switch self {
    case .joinBeforeReplay, .snapshotDivides, .unsentIsReplayed, .unsentIsCounted: .twoDevices
    case .orderByTransaction: .reconnect
    case .cursorVouches: .cursors
    case .markAfterWriting: .kill
    case .lowerAfterCrash, .dropByKeyAfterCrash: .crash
    case .writtenIsKnown: .slow
    case .exactBatchesOnly: .givenUp
    case .markedMeanwhileIsReplayed: .paged
    }
  }
}

@Suite("The path of rows, explored")
struct ExplorationTests {
  /// Another depth for all: more states, or all of them.
  private static let depth = ProcessInfo.processInfo.environment["NOTIFY_BRIDGE_TEST_DEPTH"].flatMap { Int($0) }

  @Test("No interleaving loses, doubles or reorders a row", arguments: Explored.allCases)
  func exact(explored: Explored) {
    var configuration = explored.configuration
    configuration.depth = Self.depth ?? configuration.depth
    let exploration = Exploration(configuration)
    #expect(exploration.finding == nil)
    #expect(exploration.states >= explored.leastStates)
    #expect(exploration.isComplete || exploration.depth == configuration.depth)
    print("explored: \(explored.rawValue): \(exploration.summary)")
  }

  @Test("The exploration finds each rule that is left out", arguments: Rule.allCases)
  func mutants(rule: Rule) throws {
    let exploration = Exploration(rule.explored.configuration, without: rule)
    let finding = try #require(exploration.finding, "leaving out \(rule) was not noticed")
    print("without \(rule): \(finding.faults.joined(separator: ", ")), \(exploration.summary)")
  }
}

extension Exploration {
  fileprivate var summary: String { "\(states) states, \(depth) steps\(isComplete ? ", all of them" : "")" }
}
