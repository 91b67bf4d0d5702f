import Foundation

/// Ctrl-C while a table is changed: prints the way to finish or undo it, and exits.
final class InterruptHandler {
  private let source: any DispatchSourceSignal

  /// Watches for Ctrl-C for the rest of the process.
  init(_ advice: String) {
    signal(SIGINT, SIG_IGN)
    source = DispatchSource.makeSignalSource(signal: SIGINT, queue: .global())
    source.setEventHandler {
      FileOutput.printError("error: interrupted\n\(advice)")
      CommandFailure.Status.failed.exit()
    }
    source.resume()
  }
}
