import NotifyCore
import Testing

@testable import NotifyStore

@Suite("Retention")
struct RetentionTests {
  @Test(
    "A window holds its first minute and not its last, over midnight too",
    arguments: [
      ("02:00-05:00", [119: false, 120: true, 299: true, 300: false, 0: false]),
      ("22:30-01:15", [1349: false, 1350: true, 1439: true, 0: true, 74: true, 75: false]),
      ("23:00-24:00", [1379: false, 1380: true, 1439: true, 0: false]),
      ("00:00-00:01", [0: true, 1: false, 1439: false]),
    ])
  func window(text: String, minutes: [Int: Bool]) throws {
    let window = try #require(RetentionWindow(text))
    for (minute, isIn) in minutes { #expect(window.contains(minute: minute) == isIn, "\(minute)") }
  }

  @Test(
    "A text that is no window is none",
    arguments: [
      "", "-", "02:00", "02:00-", "-05:00", "02:00-02:00", "2:00-5:00", "02:00-05:60", "25:00-26:00", "24:01-01:00",
      "02:00-05:00-06:00", "02:00 - 05:00", "02:00:00-05:00:00", "aa:bb-cc:dd", "+2:00-05:00", "٠٢:٠٠-٠٥:٠٠",
      "00:00-24:00",
    ])
  func noWindow(text: String) { #expect(RetentionWindow(text) == nil) }

  @Test("A window is shown as it is written")
  func description() { #expect(RetentionWindow("02:05-24:00")?.description == "02:05-00:00") }

  @Test("A round goes on at once until less than a batch is left, and comes again later")
  func round() {
    let start = ContinuousClock.now
    var schedule = RetentionSchedule(rowsPerSecond: 0)
    #expect(schedule.wait(at: start) == .zero)
    #expect(schedule.deleted(Int64(schedule.batch), began: start, at: start) == nil)
    #expect(schedule.wait(at: start) == .zero)
    #expect(schedule.deleted(7, began: start, at: start) == Int64(schedule.batch) + 7)
    #expect(schedule.wait(at: start) == Limits.purgeInterval)
  }

  @Test("The pace counts from the begin of a batch")
  func pace() {
    let start = ContinuousClock.now
    var schedule = RetentionSchedule(rowsPerSecond: 200)
    #expect(schedule.batch == 200)
    #expect(schedule.deleted(200, began: start, at: start + .milliseconds(300)) == nil)
    #expect(schedule.wait(at: start + .milliseconds(300)) == .milliseconds(700))
    #expect(RetentionSchedule(rowsPerSecond: 1_000_000).batch == Limits.purgeRows)
    var quick = RetentionSchedule(rowsPerSecond: 10 * Limits.purgeRows)
    #expect(quick.deleted(Int64(Limits.purgeRows), began: start, at: start) == nil)
    #expect(quick.wait(at: start) == .milliseconds(100))
  }

  @Test("Where it is not the time, it looks again soon, and says what it has deleted so far")
  func paused() {
    let start = ContinuousClock.now
    var schedule = RetentionSchedule(rowsPerSecond: 100)
    #expect(schedule.deleted(100, began: start, at: start) == nil)
    #expect(schedule.pause(at: start) == 100)
    #expect(schedule.pause(at: start) == 0)
    #expect(schedule.wait(at: start) == Limits.purgeTurnInterval)
    schedule.failed(at: start)
    #expect(schedule.wait(at: start) == Limits.purgeInterval)
  }
}
