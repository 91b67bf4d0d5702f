import DequeModule
import Dispatch
import Foundation
import Synchronization

/// Runs an actor on its own thread, so that its blocking calls to the database block no other work.
package final class DedicatedThread: SerialExecutor {
  private let queue = Queue()

  /// - Parameter name: shown by debuggers and `top -H`; at most 15 characters.
  init(name: String) {
    let queue = self.queue
    let isStarted = DispatchSemaphore(value: 0)
    let thread = Thread {
      // On Linux a name has no effect until `start` has returned, nor where another thread sets it.
      isStarted.wait()
      Thread.current.name = name
      queue.drain()
    }
    thread.start()
    isStarted.signal()
  }

  deinit { queue.enqueue(nil) }

  package func enqueue(_ job: consuming ExecutorJob) {
    queue.enqueue((UnownedJob(job), asUnownedSerialExecutor()))
  }

  /// The thread's jobs; nil ends it. Separate from the executor, so that the thread doesn't keep the executor alive.
  private final class Queue: Sendable {
    private let jobs = Mutex(Deque<(job: UnownedJob, executor: UnownedSerialExecutor)?>())
    private let available = DispatchSemaphore(value: 0)

    func enqueue(_ job: (UnownedJob, UnownedSerialExecutor)?) {
      jobs.withLock { $0.append(job) }
      available.signal()
    }

    func drain() {
      while true {
        available.wait()
        guard let next = jobs.withLock({ $0.popFirst() }) ?? nil else { return }
        next.job.runSynchronously(on: next.executor)
      }
    }
  }
}
