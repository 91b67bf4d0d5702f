import NotifyCore
import Testing

@Suite("The doorbell")
struct DoorbellTests {
  let start = ContinuousClock.now
  /// Nothing is in progress.
  let idle = Snapshot(xmax: 200)
  /// As many as make it busy within one window.
  let crowd = 100

  func at(_ milliseconds: Int) -> ContinuousClock.Instant { start + .milliseconds(milliseconds) }

  func arming(_ settings: DoorbellSettings = DoorbellSettings()) -> Doorbell {
    var doorbell = Doorbell(settings, at: start)
    _ = doorbell.armed(at: start)
    _ = doorbell.barrierTaken(100)
    return doorbell
  }

  func quiet(_ settings: DoorbellSettings = DoorbellSettings()) -> Doorbell {
    var doorbell = arming(settings)
    _ = doorbell.fetched(idle, transactions: 0, at: start)
    return doorbell
  }

  /// Busy since `start` + 200 ms.
  func busy(_ settings: DoorbellSettings = DoorbellSettings()) -> Doorbell {
    var doorbell = quiet(settings)
    _ = doorbell.fetched(idle, transactions: crowd, at: at(200))
    _ = doorbell.disarmed(at: at(200))
    return doorbell
  }

  // MARK: Every state and every input

  @Test("The barrier is taken once the arming is committed, and a fetch follows at once")
  func armed() {
    for var doorbell in [arming(), quiet(), busy()] {
      let first = doorbell.armed(at: at(900))
      #expect(first == .takeBarrier && doorbell.state == .arming(barrier: nil))
      let second = doorbell.barrierTaken(300)
      #expect(second == .wait(.zero) && doorbell.state == .arming(barrier: 300))
    }
  }

  @Test(
    "Doorbells are relied on after a fetch whose own snapshot has nothing left below the barrier, and after no other")
  func barrier() {
    var doorbell = Doorbell(DoorbellSettings(), at: start)
    _ = doorbell.armed(at: start)
    let unknown = doorbell.fetched(Snapshot(xmax: 9_999), transactions: 0, at: start)
    #expect(unknown == .wait(Limits.armingInterval) && doorbell.state == .arming(barrier: nil))
    _ = doorbell.barrierTaken(100)
    let older = doorbell.fetched(Snapshot(xmax: 120, xip: [99]), transactions: 1, at: at(1))
    #expect(older == .wait(Limits.armingInterval) && doorbell.state == .arming(barrier: 100))
    #expect(!doorbell.isReliedOn)
    let newer = doorbell.fetched(Snapshot(xmax: 120, xip: [100]), transactions: 0, at: at(2))
    #expect(newer == .wait(Limits.safetyInterval) && doorbell.state == .quiet && doorbell.isReliedOn)
  }

  @Test("A disarmed bridge polls, whatever state it was in")
  func disarmed() {
    for var doorbell in [arming(), quiet(), busy()] {
      let action = doorbell.disarmed(at: at(900))
      #expect(action == .pause(.zero) && doorbell.state == .busy && !doorbell.isReliedOn)
      let next = doorbell.fetched(idle, transactions: 1, at: at(901))
      #expect(next == .pause(.milliseconds(5)))
    }
  }

  @Test("Many transactions a second make the doorbell busy before the window ends, from quiet and from arming")
  func busyRate() {
    for var doorbell in [arming(), quiet()] {
      let few = doorbell.fetched(Snapshot(xmax: 200, xip: [50]), transactions: crowd - 1, at: at(150))
      #expect(few != .disarm)
      let more = doorbell.fetched(Snapshot(xmax: 200, xip: [50]), transactions: crowd, at: at(160))
      #expect(more == .disarm)
      // Only what was committed counts.
      #expect(doorbell.state != .busy)
    }
  }

  @Test("A tenth of the rate is busy where it brings ten times as many rows, and half of both is calm")
  func heavy() {
    for (transactions, rows, isHeavy) in [(10, 1_000, true), (9, 5_000, false), (99, 999, false)] {
      var doorbell = quiet()
      let action = doorbell.fetched(idle, transactions: transactions, rows: rows, took: .zero, at: at(100))
      #expect((action == .disarm) == isHeavy, "\(transactions) transactions, \(rows) rows")
    }
    for (transactions, rows, isCalm) in [(5, 500, false), (4, 5_000, true), (5, 499, true)] {
      var doorbell = busy()
      let actions = (1...10).map { turn in
        doorbell.fetched(idle, transactions: transactions, rows: rows, took: .zero, at: at(200 + 100 * turn))
      }
      #expect(actions.contains(.arm) == isCalm, "\(transactions) transactions, \(rows) rows")
    }
  }

  /// Busy, after a window of 100 ms with so many rows.
  func collecting(rows: Int, _ settings: DoorbellSettings = DoorbellSettings()) -> Doorbell {
    var doorbell = busy(settings)
    _ = doorbell.fetched(idle, transactions: 99, rows: rows, took: .zero, at: at(300))
    return doorbell
  }

  @Test("Pauses grow with the time of a fetch where many rows come, within the set limits")
  func pauses() {
    func pauses(_ doorbell: Doorbell) -> [Doorbell.Action] {
      [0, 250, 500, 2_500, 25_000].map { took in
        var doorbell = doorbell
        return doorbell.fetched(idle, transactions: 0, rows: 0, took: .microseconds(took), at: at(301))
      }
    }
    #expect(pauses(collecting(rows: 500)) == [5, 5, 8, 40, 50].map { .pause(.milliseconds($0)) })
    #expect(pauses(collecting(rows: 499)) == [5, 5, 5, 5, 5].map { .pause(.milliseconds($0)) })
    let short = DoorbellSettings(longestPoll: .milliseconds(10))
    #expect(pauses(collecting(rows: 500, short)) == [5, 5, 8, 10, 10].map { .pause(.milliseconds($0)) })
    let slow = DoorbellSettings(poll: .milliseconds(200))
    #expect(pauses(collecting(rows: 500, slow)) == [200, 200, 200, 200, 200].map { .pause(.milliseconds($0)) })
    let eager = DoorbellSettings(busyRate: 100)
    #expect(pauses(collecting(rows: 50, eager)) == [5, 5, 8, 40, 50].map { .pause(.milliseconds($0)) })
  }

  @Test("A rate below the busy one leaves the doorbell quiet")
  func belowRate() {
    var doorbell = quiet()
    for turn in 1...1_000 {
      let action = doorbell.fetched(idle, transactions: 1, at: at(2 * turn))  // 500 a second
      #expect(action == .wait(Limits.safetyInterval) || action == .countLockWaits)
      if action == .countLockWaits { _ = doorbell.counted(lockWaits: 0, at: at(2 * turn)) }
    }
    #expect(doorbell.state == .quiet)
  }

  @Test("The doorbell is armed again after a calm while and no sooner; a busy window starts the while anew")
  func calm() {
    var doorbell = busy()
    var armedAt: Int?
    for turn in 1...200 where armedAt == nil {
      let now = 200 + 5 * turn
      // 600 a second at 300 ms, then 400.
      let action = doorbell.fetched(idle, transactions: now <= 300 ? 3 : 2, at: at(now))
      if action == .arm { armedAt = now } else { #expect(action == .pause(.milliseconds(5))) }
    }
    #expect(armedAt == 800)
  }

  @Test("The doorbell changes at most ten times a second")
  func changes() {
    var doorbell = Doorbell(DoorbellSettings(quietAfter: .zero), at: start)
    _ = doorbell.armed(at: start)
    _ = doorbell.barrierTaken(1)
    var changes = 0
    var now = 0
    // As contrary as can be: a burst where it is armed, silence where it is not.
    while now < 10_000 {
      now += 1
      let load = doorbell.state == .busy ? 0 : 1_000
      switch doorbell.fetched(idle, transactions: load, at: at(now)) {
      case .arm:
        changes += 1
        _ = doorbell.armed(at: at(now))
        _ = doorbell.barrierTaken(1)
      case .disarm:
        changes += 1
        _ = doorbell.disarmed(at: at(now))
      case .countLockWaits:
        _ = doorbell.counted(lockWaits: 0, at: at(now))
      case .wait, .pause, .takeBarrier:
        break
      }
    }
    #expect(changes > 90 && changes <= 100)
  }

  // MARK: Slow commits

  @Test("Writers that wait for each other make the doorbell busy at a low rate, and half of it is calm")
  func lockWaitStreak() {
    var doorbell = quiet()
    var actions: [Doorbell.Action] = []
    for turn in 1...3 {
      let asked = doorbell.fetched(idle, transactions: 20, at: at(100 * turn))  // 200 a second
      actions += [asked, doorbell.counted(lockWaits: 7, at: at(100 * turn))]
    }
    let rest = Doorbell.Action.wait(Limits.safetyInterval)
    #expect(actions == [.countLockWaits, rest, .countLockWaits, rest, .countLockWaits, .disarm])
    _ = doorbell.disarmed(at: at(300))
    for window in 1...20 {
      let same = doorbell.fetched(idle, transactions: 12, at: at(300 + 100 * window))
      #expect(same == .pause(.milliseconds(5)))
    }
    let calm = (21...25).map { doorbell.fetched(idle, transactions: 9, at: at(300 + 100 * $0)) }
    #expect(calm.last == .arm && !calm.dropLast().contains(.arm))
  }

  @Test("A single waiting writer does not make the doorbell busy")
  func passing() {
    var doorbell = quiet()
    for (turn, waiting) in [1, 1, 0, 1, 1, 0, 3, 3].enumerated() {
      let now = at(100 * (turn + 1))
      let asked = doorbell.fetched(idle, transactions: 20, at: now)
      let action = doorbell.counted(lockWaits: waiting, at: now)
      #expect(asked == .countLockWaits && action == .wait(Limits.safetyInterval))
    }
    // Nor does it count them while next to nothing is written.
    let single = doorbell.fetched(idle, transactions: 1, at: at(2_000))
    let after = doorbell.fetched(idle, transactions: 20, at: at(2_100))
    let action = doorbell.counted(lockWaits: 1, at: at(2_100))
    #expect(single == action && after == .countLockWaits)
  }

  @Test("Waiting writers are counted less often when counting takes longer")
  func costOfCounting() {
    var doorbell = quiet()
    let asked = doorbell.fetched(idle, transactions: 20, at: at(100))
    _ = doorbell.counted(lockWaits: 0, at: at(120))
    #expect(asked == .countLockWaits)
    let asking = (2...30).filter { doorbell.fetched(idle, transactions: 20, at: at(100 * $0)) == .countLockWaits }
    #expect(asking.first == 22)  // 20 ms of 2,000
  }

  @Test("A count that comes in another state is ignored")
  func lateCount() {
    var doorbell = busy()
    let action = (0..<5).map { _ in doorbell.counted(lockWaits: 9, at: at(900)) }.last
    #expect(action == .pause(.milliseconds(5)) && doorbell.state == .busy)
  }

  // MARK: Writers that never ring

  @Test("A quiet bridge polls slowly where writers prepare their transactions, and rows found so count as no loss")
  func twoPhase() {
    let doorbell = quiet(DoorbellSettings(twoPhaseWriters: true))
    var asked = doorbell
    let action = asked.fetched(idle, transactions: 1, at: at(1))
    #expect(action == .wait(Limits.armingInterval) && doorbell.state == .quiet && !doorbell.isReliedOn)
  }
}

@Suite("The watch over safety fetches")
struct SafetyWatchTests {
  let start = ContinuousClock.now

  @Test("Rows of a safety fetch are reported only when no doorbell follows within a second")
  func safetyFinds() {
    var watch = SafetyWatch()
    func fetch(_ rows: Int, _ isSafety: Bool, at second: Int) -> Bool {
      watch.fetched(rows: rows, isSafety: isSafety, at: start + .seconds(second))
    }
    var reports = [fetch(0, true, at: 0), fetch(3, true, at: 0)]
    watch.rang()
    reports += [fetch(0, false, at: 2), fetch(1, true, at: 3)]
    #expect(reports == [false, false, false, false])
    #expect([fetch(0, true, at: 5), fetch(0, true, at: 9)] == [true, false])
  }
}

extension Doorbell {
  /// A fetch that took no time, with one row of each transaction.
  fileprivate mutating func fetched(
    _ snapshot: Snapshot, transactions: Int, at now: ContinuousClock.Instant
  ) -> Action {
    fetched(snapshot, transactions: transactions, rows: transactions, took: .zero, at: now)
  }
}
