import Foundation

/// Ctrl-C while a table is changed: says that nothing is broken.
final class InterruptHandler {
  private let source: any DispatchSourceSignal

  /// Watches for it from now on.
  init(_ advice: String) {
    signal(SIGINT, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler {
      FileOutput.printError("error: interrupted\n\(advice)")
      Failure.Status.failed.exit()
    }
    source.resume()
  }
}
