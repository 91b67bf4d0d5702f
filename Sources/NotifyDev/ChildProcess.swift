import Foundation

/// Runs programs to their end.
///
/// Foundation's `Process` waits until every descendant has ended, so it would wait forever for `pg_ctl start`.
enum ChildProcess {
  /// The result of a program that has ended.
  struct Result: Sendable {
    /// Its exit status; 128 and the signal where one ended it.
    let status: Int32
    /// Standard output and standard error.
    let output: String
  }

  /// The most of its output that is kept.
  private static let maximumOutput = 64 << 10

  /// Runs a program; blocks the thread until it has ended.
  ///
  /// The program runs in a new process group, so that Ctrl-C in the terminal doesn't reach it.
  ///
  /// - Parameters:
  ///   - program: its path.
  ///   - folder: where it runs; a folder that its user may enter.
  ///   - seconds: after which it is ended by force.
  static func run(_ program: String, _ arguments: [String], in folder: String = "/", seconds: Double) throws -> Result {
    guard let output = tmpfile() else { throw DevError("no temporary file can be made: \(reason(errno))") }
    defer { fclose(output) }
    _ = fcntl(fileno(output), F_SETFD, FD_CLOEXEC)
    let child = try spawn(program, arguments, folder, output: fileno(output))
    let timer = DispatchSource.makeTimerSource(queue: DispatchQueue(label: "child"))
    timer.schedule(deadline: .now() + seconds)
    timer.setEventHandler { kill(child, SIGKILL) }
    timer.resume()
    var status: Int32 = 0
    while waitpid(child, &status, 0) < 0, errno == EINTR {}
    timer.cancel()
    rewind(output)
    var bytes = [UInt8](repeating: 0, count: maximumOutput)
    let count = fread(&bytes, 1, bytes.count, output)
    let signal = status & 0x7f
    return Result(
      status: signal == 0 ? (status >> 8) & 0xff : 128 + signal,
      output: String(decoding: bytes.prefix(count), as: UTF8.self))
  }

  private static func spawn(
    _ program: String, _ arguments: [String], _ folder: String, output: Int32
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
    posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { sigaddset(&signals, number) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setpgroup(&attributes, 0)
    posix_spawnattr_setflags(
      &attributes, Int16(POSIX_SPAWN_SETSIGMASK) | Int16(POSIX_SPAWN_SETSIGDEF) | Int16(POSIX_SPAWN_SETPGROUP))
    // The shell changes the folder: not every C library has a spawn that can.
    let shell = ["/bin/sh", "-c", #"cd "$0" && exec "$@""#, folder, program]
    let texts = (shell + arguments).map { strdup($0) } + [nil]
    defer { texts.forEach { free($0) } }
    var child: pid_t = 0
    let problem = posix_spawn(&child, shell[0], &actions, &attributes, texts, environ)
    guard problem == 0 else { throw DevError("\(program) can't be started: \(reason(problem))") }
    return child
  }

  private static func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
}
