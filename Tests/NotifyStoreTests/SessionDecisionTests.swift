import NotifyCore
import Testing

@testable import NotifyStore

@Suite("The decisions of the listening connection")
struct SessionDecisionTests {
  let start = ContinuousClock.now
  let epoch = Epoch(systemIdentifier: 1, timeline: 1)
  let other = Epoch(systemIdentifier: 1, timeline: 2)

  @Test("A session continues the same history, unless revocations may have been deleted meanwhile")
  func continuing() {
    var history = FollowedHistory()
    func isContinued(_ next: Epoch, after seconds: Int) -> Bool {
      history.isContinued(by: next, at: start + .seconds(seconds), revocationsKept: .seconds(10))
    }
    #expect(!isContinued(epoch, after: 0) && !history.hasFetched)
    let isMoved = history.adopt(epoch)
    #expect(!isMoved && history.number == 0)
    #expect(isContinued(epoch, after: 99))
    history.fetched(at: start)
    #expect(history.hasFetched && isContinued(epoch, after: 10))
    #expect(!isContinued(epoch, after: 11) && !isContinued(other, after: 1))
  }

  @Test("Each session after the first has a number of its own")
  func numbers() {
    var history = FollowedHistory()
    _ = history.adopt(epoch)
    var numbers = [history.number, history.resume(), history.resume()]
    var moves: [Bool] = []
    for _ in 0..<2 {
      moves.append(history.adopt(other))
      numbers.append(history.number)
    }
    #expect(numbers == [0, 1, 2, 3, 4] && moves == [true, true] && history.epoch == other)
  }

  @Test(
    "The replica row is touched at intervals, and the tables are surveyed after that or after a doorbell without rows")
  func upkeep() {
    var upkeep = SessionUpkeep(at: start)
    func due(after time: Duration) -> [Bool] {
      [upkeep.isHeartbeatDue(at: start + time), upkeep.isSurveyDue(at: start + time)]
    }
    let soon = Limits.surveyInterval + .milliseconds(1)
    let idle = due(after: soon)
    upkeep.tablesMayHaveChanged()
    let rung = [Limits.surveyInterval, soon, soon + .seconds(1)].map { due(after: $0) }
    let later = [1, 2].map { due(after: Limits.safetyInterval + .milliseconds($0)) }
    #expect(idle == [false, false])
    #expect(rung == [[false, false], [false, true], [false, false]])
    #expect(later == [[true, true], [false, false]])
  }

  @Test("A locked statement is tried again after growing pauses, until the timeout")
  func locks() {
    var retry = LockRetry(timeout: .seconds(30), from: start)
    let pauses = (0..<7).map { _ in retry.next(at: start) }
    #expect(pauses == [250, 500, 1_000, 2_000, 4_000, 4_000, 4_000].map { .milliseconds($0) })
    let last = retry.next(at: start + .seconds(30))
    #expect(last == nil && retry.attempts == 7)
  }
}
