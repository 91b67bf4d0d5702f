import Foundation

/// Runs programs to their end.
enum ChildProcess {
  /// What a program left behind.
  struct Result: Sendable {
    let status: Int32
    /// Standard output and standard error.
    let output: String
  }

  /// Runs a program; blocks the thread until it has ended.
  ///
  /// - Parameters:
  ///   - program: its path.
  ///   - folder: where it runs; a folder that its user may enter.
  ///   - seconds: after which it is ended by force.
  static func run(_ program: String, _ arguments: [String], in folder: String = "/", seconds: Double) throws -> Result {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.standardInput = FileHandle.nullDevice
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    let ended = DispatchSemaphore(value: 0)
    process.terminationHandler = { _ in ended.signal() }
    try process.run()
    let identifier = process.processIdentifier
    let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "child"))
    timer.schedule(deadline: .now() + seconds)
    timer.setEventHandler { kill(identifier, SIGKILL) }
    timer.resume()
    let bytes = pipe.fileHandleForReading.readDataToEndOfFile()
    ended.wait()
    timer.cancel()
    return Result(status: process.terminationStatus, output: String(decoding: bytes, as: UTF8.self))
  }
}
